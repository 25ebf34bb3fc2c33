"""The figures of a run, from its files alone: how long records waited, what befell it, what went on meanwhile."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.files import Record, lines


def longest_pause_s(inputs: Sequence[Record], signals: Sequence[Record]) -> float:
    """The longest that a feed partition with work waiting gave no signal.

    Between one signal seen and the next, of which the waiting began at the later of the two: the signal before it, or
    the arrival of its own document.
    """
    arrived = {(record.topic, record.partition, record.offset): record.seen_ms for record in inputs}
    seen: defaultdict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    for record in signals:
        place = json.loads(record.value)["signal_id"].partition("#")[0]
        topic, partition, offset = place.rsplit("/", 2)
        seen[topic, int(partition)].setdefault(int(offset), record.seen_ms)
    longest_ms = 0
    for lane, times in seen.items():
        before_ms = 0
        for offset, seen_ms in sorted(times.items()):
            longest_ms = max(longest_ms, seen_ms - max(before_ms, arrived.get((*lane, offset), seen_ms)))
            before_ms = max(before_ms, seen_ms)
    return round(longest_ms / 1000, 1)


def faults(directory: Path) -> dict[str, Any]:
    """How often each kind came, and the transactions that were committed while it lasted."""
    kinds: Counter[str] = Counter()
    committed: defaultdict[str, list[int]] = defaultdict(list)
    for fault in lines(directory / "faults.jsonl"):
        kinds[fault["kind"]] += fault.get("count", 1)
        if fault["to_ms"]:
            committed[fault["kind"]].append(fault["committed"])
    return {"faults": dict(sorted(kinds.items())), "committed_during": dict(sorted(committed.items()))}


def fencings(directory: Path) -> dict[str, int]:
    """Lanes lost, by pod, over all its processes."""
    last: dict[tuple[str, int], float] = {}
    for line in lines(directory / "members.jsonl"):
        if "fenced" in line:
            last[line["pod"], line["pid"]] = line["fenced"]
    totals: Counter[str] = Counter()
    for (pod, _), fenced in last.items():
        totals[pod] += int(fenced)
    return dict(sorted(totals.items()))


def growth(directory: Path, warm_ms: int = 20_000) -> dict[str, dict[str, list[float]]]:
    """Of processes that lived throughout: the mean of the first and of the last ten samples after a warm-up."""
    samples: defaultdict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for line in lines(directory / "members.jsonl"):
        if "rss" in line:
            samples[line["pod"], line["pid"]].append(line)
    starts = min((mine[0]["at_ms"] for mine in samples.values()), default=0)
    ends = max((mine[-1]["at_ms"] for mine in samples.values()), default=0)
    found = {}
    for (pod, _), mine in samples.items():
        if mine[0]["at_ms"] - starts < warm_ms and ends - mine[-1]["at_ms"] < warm_ms:
            warm = [line for line in mine if line["at_ms"] - starts >= warm_ms] or mine
            first, last = warm[:10], warm[-10:]
            found[pod] = {
                name: [round(sum(line[name] for line in part) / len(part), 1) for part in (first, last)]
                for name in ("rss", "fds", "threads")
            }
    return found
