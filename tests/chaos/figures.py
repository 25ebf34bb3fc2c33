"""The figures of a run, from its files alone: what befell it, and what went on meanwhile."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.chaos.files import lines


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


def lost_to_wakers(directory: Path) -> list[int]:
    """For each pause of a pod, the lanes that the others lost from its beginning until some seconds after its end. Who
    wakes must take from nobody what he has lost meanwhile."""
    samples = [line for line in lines(directory / "members.jsonl") if "fenced" in line]
    return [
        _lost([line for line in samples if line["pod"] != fault["what"]], fault["from_ms"], fault["to_ms"])
        for fault in lines(directory / "faults.jsonl")
        if fault["kind"] == "pause"
    ]


def _lost(samples: Iterable[dict[str, Any]], from_ms: int, to_ms: int) -> int:
    """Lanes lost between two moments, over all processes."""
    before: dict[int, int] = {}
    after: dict[int, int] = {}
    for line in samples:
        if line["at_ms"] <= to_ms:
            after[line["pid"]] = int(line["fenced"])
        if line["at_ms"] <= from_ms:
            before[line["pid"]] = int(line["fenced"])
    return sum(after.values()) - sum(before.values())


HELD = ("rss", "threads", "connections", "files")


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
                for name in HELD
            }
    return found
