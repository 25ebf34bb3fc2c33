"""Holds what came out of a run against what went in. A script of its own: it shares no state with what it judges.

    inputs.jsonl ─► expected signals, dead letters, alert records ─┐
    outputs.jsonl ──────────────────────────────────────────────────┴─► lost · duplicated · out of order · wrong

Rule 1. What must come out follows from the inputs alone: each says in its header what it is (documents.py).
Rule 2. A signal is known by its id, `topic/partition/offset#entity`: expected once, with the score of its text.
Rule 3. A document that cannot be scored leaves one dead letter that names its place, and no signal.
Rule 4. Alerts count different documents per entity. One alert per entity; it fires at the first limit and is raised at
        each further one, with exactly that value: state that was lost or counted twice moves it.
Rule 5. Per (feed partition, entity), signals lie in the order of the feed; per alert, sequences rise by one.

    python -m tests.chaos.checker DIR       exit code 0 where nothing is wrong, 1 where something is
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.chaos import figures
from tests.chaos.documents import HEADER, WATCHLIST, Entry
from tests.chaos.files import Record, Run, read
from tests.chaos.model import risk_score
from tests.chaos.pauses import charged, pauses, spans

DEAD = {"nan": "model_error", "kill": "model_error", "malformed": "malformed"}
"""Kinds that leave a dead letter, and its reason."""
SHOWN_MAX = 20


class Findings:
    """What is wrong, as lines for a person; the counts are the verdict."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.duplicated: list[str] = []
        self.out_of_order: list[str] = []
        self.wrong: list[str] = []
        self.signals = self.alerts = 0

    @property
    def clean(self) -> bool:
        """Nothing is wrong."""
        return not any(self.kinds().values())

    def kinds(self) -> dict[str, int]:
        """How many of each."""
        names = ("lost", "duplicated", "out_of_order", "wrong")
        return {name: len(getattr(self, name)) for name in names}

    def lines(self) -> Iterator[str]:
        """The first of each kind."""
        for name in self.kinds():
            yield from (f"{name}: {what}" for what in getattr(self, name)[:SHOWN_MAX])


def check(run: Run, inputs: Iterable[Record], outputs: Iterable[Record]) -> Findings:
    """Everything that is wrong with a run."""
    found, by_topic = Findings(), defaultdict(list)
    for record in sorted(outputs, key=lambda r: (r.topic, r.partition, r.offset)):
        by_topic[record.topic].append(record)
    placed = [(record, _entry(record)) for record in inputs]
    found.signals, found.alerts = len(by_topic[run.signals]), len(by_topic[run.alerts])
    _check_signals(placed, by_topic[run.signals], found)
    _check_dead_letters(placed, by_topic[run.dead_letters], found)
    _check_alerts(placed, by_topic[run.alerts], run.limits, found)
    return found


def _entry(record: Record) -> Entry:
    return msgspec.json.decode(record.headers[HEADER], type=Entry)


def _place(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def signals_of(record: Record) -> set[str]:
    """The ids of the signals that must come of an input."""
    entry = _entry(record)
    return {f"{_place(record)}#{entity}" for entity in entry.entities} if entry.kind == "plain" else set()


def _check_signals(placed: Sequence[tuple[Record, Entry]], signals: Sequence[Record], found: Findings) -> None:
    expected = {
        f"{_place(record)}#{entity}": (entity, entry)
        for record, entry in placed
        if entry.kind == "plain"
        for entity in entry.entities
    }
    times: Counter[str] = Counter()
    last: dict[tuple[str, str], int] = {}
    partition_of: dict[str, int] = {}
    for record in signals:
        signal = json.loads(record.value)
        name = signal["signal_id"]
        times[name] += 1
        if name not in expected:
            found.wrong.append(f"signal {name} at {_place(record)} follows from no input")
        elif times[name] == 1:
            _check_signal(record, signal, *expected[name], found)
            lane, _, offset = name.partition("#")[0].rpartition("/")
            entity = signal["entity"]["id"]
            if int(offset) < last.get((lane, entity), -1):
                found.out_of_order.append(f"signal {name} at {_place(record)} comes after a later one")
            last[lane, entity] = int(offset)
            if partition_of.setdefault(entity, record.partition) != record.partition:
                found.wrong.append(f"signal {name} lies in partition {record.partition}, others of {entity} elsewhere")
    found.lost += [f"signal {name}" for name in expected if not times[name]]
    found.duplicated += [f"signal {name} {count} times" for name, count in times.items() if count > 1]


def _check_signal(record: Record, signal: dict[str, Any], entity: str, entry: Entry, found: Findings) -> None:
    told = (record.key, signal["entity"]["id"], signal["document_id"], signal["risk_score"])
    right = (entity, entity, entry.id, risk_score(WATCHLIST[entity], entry.text))
    if told != right:
        found.wrong.append(f"signal {signal['signal_id']} says {told}, must say {right}")


def _check_dead_letters(placed: Sequence[tuple[Record, Entry]], letters: Sequence[Record], found: Findings) -> None:
    expected = {_place(record): DEAD[entry.kind] for record, entry in placed if entry.kind in DEAD}
    times: Counter[str] = Counter()
    for record in letters:
        h = record.headers
        place = "/".join(h[f"riskstream-{part}"] for part in ("topic", "partition", "offset"))
        times[place] += 1
        if place not in expected:
            detail = h["riskstream-detail"]
            found.wrong.append(f"dead letter of {place}, which is sound: {h['riskstream-reason']}: {detail}")
        elif h["riskstream-reason"] != expected[place]:
            found.wrong.append(f"dead letter of {place} says {h['riskstream-reason']}, must say {expected[place]}")
    found.lost += [f"dead letter of {place}" for place in expected if not times[place]]
    found.duplicated += [f"dead letter of {place} {count} times" for place, count in times.items() if count > 1]


def _check_alerts(
    placed: Sequence[tuple[Record, Entry]], alerts: Sequence[Record], limits: tuple[int, int, int], found: Findings
) -> None:
    documents: defaultdict[str, set[str]] = defaultdict(set)
    for _, entry in placed:
        if entry.kind == "plain":
            for entity in entry.entities:
                documents[entity].add(entry.id)
    told: defaultdict[str, defaultdict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for record in alerts:
        alert = json.loads(record.value)
        told[alert["subject"]["id"]][alert["alert_id"]].append(alert)
    for entity in sorted(documents.keys() | told.keys()):
        reached = [limit for limit in limits if len(documents[entity]) >= limit]
        steps = list(zip(("fired", "raised", "raised"), ("watch", "material", "severe"), limits, strict=True))
        _check_alert(entity, steps[: len(reached)], told[entity], found)


def _check_alert(
    entity: str, steps: Sequence[tuple[str, str, int]], alerts: dict[str, list[dict[str, Any]]], found: Findings
) -> None:
    if len(alerts) > 1:
        found.duplicated.append(f"{len(alerts)} alerts about {entity}")
    for name, records in alerts.items():
        sequences = [record["sequence"] for record in records]
        for sequence, count in Counter(sequences).items():
            if count > 1:
                found.duplicated.append(f"alert {name} about {entity}: sequence {sequence} {count} times")
        if sorted(set(sequences)) != list(range(1, len(set(sequences)) + 1)):
            found.lost.append(f"alert {name} about {entity}: sequences {sequences[:SHOWN_MAX]}")
        if sequences != sorted(sequences):
            found.out_of_order.append(f"alert {name} about {entity}: sequences {sequences[:SHOWN_MAX]}")
        if ended := [record["reason"] for record in records if record["state"] == "resolved"]:
            found.wrong.append(f"alert {name} about {entity} was resolved: {ended}")
    made = [
        (record["reason"], record["severity"], record["value"])
        for records in alerts.values()
        for record in records
        if record["reason"] != "evidence"
    ]
    for step in steps:
        if step not in made:
            found.lost.append(f"alert record {step} about {entity}; there are {made}")
    for step in made:
        if step not in steps:
            found.wrong.append(f"alert record {step} about {entity}; it must be one of {list(steps)}")


def judge(directory: Path) -> int:
    """The verdict and the figures of the run in a directory: lines for a person, the last line JSON."""
    run = msgspec.json.decode((directory / "run.json").read_bytes(), type=Run)
    inputs, outputs = read(directory / "inputs.jsonl"), read(directory / "outputs.jsonl")
    found = check(run, inputs, outputs)
    for line in found.lines():
        print(line, file=sys.stderr)
    signals = [record for record in outputs if record.topic == run.signals]
    stood = pauses(inputs, signals)
    told = {
        "seed": run.seed,
        "documents": len(inputs),
        "signals": found.signals,
        "alerts": found.alerts,
        **found.kinds(),
        "longest_pause_s": round(max((pause.seconds for pause in stood), default=0.0), 1),
        "pauses_s": charged(stood, spans(directory)),
        **figures.faults(directory),
        "fencings": figures.fencings(directory),
        "lost_to_wakers": figures.lost_to_wakers(directory),
        "growth": figures.growth(directory),
    }
    print(json.dumps(told))
    return 0 if found.clean and len(inputs) >= run.documents else 1


def main() -> int:
    """The command line."""
    return judge(Path(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
