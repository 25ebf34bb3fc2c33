"""How long feed partitions stood still with work waiting, and what befell the run meanwhile.

    signal seen ──────── pause ────────► next signal seen          kill        ├──────┤
        or: its document arrived, whichever is later               kill+text   ├───┤ two faults met
                                                                   none        ├┤    nothing was done

Rule 1. A pause is charged to all faults that it meets, together: `kill` is what one killed pod cost and nothing else
        did; `kill+kill` is a pause that two of them share.
Rule 2. A fault lasts from its start until it is mended: a pod that was killed, until it is ready again. A text that
        ends a process is a fault at that moment, and until the process is started again.
"""

from __future__ import annotations

import json
import signal
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from tests.chaos.files import Record, lines


class Pause(msgspec.Struct, frozen=True):
    """A feed partition gave no signal from one time to another, though it had work."""

    topic: str
    partition: int
    from_ms: int
    to_ms: int

    @property
    def seconds(self) -> float:
        """How long."""
        return (self.to_ms - self.from_ms) / 1000


class Span(msgspec.Struct, frozen=True):
    """A fault from its start until it is mended."""

    kind: str
    from_ms: int
    to_ms: int


def pauses(inputs: Sequence[Record], signals: Sequence[Record]) -> list[Pause]:
    """The time between one signal seen and the next, in each feed partition."""
    arrived = {(record.topic, record.partition, record.offset): record.seen_ms for record in inputs}
    seen: defaultdict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    for record in signals:
        place = json.loads(record.value)["signal_id"].partition("#")[0]
        topic, partition, offset = place.rsplit("/", 2)
        seen[topic, int(partition)].setdefault(int(offset), record.seen_ms)
    found = []
    for lane, times in seen.items():
        before_ms = 0
        for offset, seen_ms in sorted(times.items()):
            from_ms = max(before_ms, arrived.get((*lane, offset), seen_ms))
            if seen_ms > from_ms:
                found.append(Pause(*lane, from_ms, seen_ms))
            before_ms = max(before_ms, seen_ms)
    return found


def spans(directory: Path) -> list[Span]:
    """The faults of a run, those of texts too."""
    found = [Span(line["kind"], line["from_ms"], line["to_ms"]) for line in lines(directory / "faults.jsonl")]
    return [span for span in found if span.to_ms] + list(_texts(directory))


def _texts(directory: Path) -> Iterator[Span]:
    """From a process that nobody outside ended to the next one of its pod; `exit` where it gave up by itself."""
    ended: dict[str, tuple[str, int]] = {}
    for line in lines(directory / "members.jsonl"):
        if line.get("event") == "ended" and not line["asked"]:
            ended[line["pod"]] = ("text" if line["code"] == -signal.SIGKILL else "exit", line["at_ms"])
        elif line.get("event") == "started" and line["pod"] in ended:
            yield Span(*ended.pop(line["pod"]), line["at_ms"])


def charged(found: Iterable[Pause], faults: Sequence[Span]) -> dict[str, float]:
    """The longest pause in seconds by the faults that it met."""
    longest: defaultdict[str, float] = defaultdict(float)
    for pause in found:
        met = sorted(span.kind for span in faults if span.from_ms <= pause.to_ms and pause.from_ms <= span.to_ms)
        kinds = "+".join(met) or "none"
        longest[kinds] = max(longest[kinds], round(pause.seconds, 1))
    return dict(sorted(longest.items()))
