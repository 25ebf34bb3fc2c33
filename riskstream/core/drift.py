"""How far a model's answers have moved: its last signals beside its first.

    signals ─► one answer a head ─┬─► the first `signals` of them: the reference
                                  └─► the last `signals` of them ─► population stability index, a head

Rule 1. The reference is what the version said first in this process. `valid` would not do: trouble is sought for it,
        and every feed is far from that on its first day.
Rule 2. A head's answer is its likeliest label; of `risk`, where several labels may hold or none, the likeliest that is
        more likely than not, or none.
Rule 3. Nothing is said before both samples are full. They share no signal, and another version begins anew.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Collection, Mapping

from riskstream.core.records import Signal

HEADS = ("sentiment", "severity", "risk", "topic")
SIGNALS = 2_000
"""In each sample. Two of one stream are then some (labels - 1) / 1,000 apart by chance: 0.02 for twenty topics."""

Answer = tuple[str, ...]


class Drift:
    """Compares the signals of one version at a time; remembers 2 × `signals` answers of four labels at most."""

    def __init__(self, signals: int = SIGNALS) -> None:
        self._signals = signals
        self._version = ""
        self._begin("")

    def _begin(self, version: str) -> None:
        self._version = version
        self._first: dict[str, Counter[str]] = {head: Counter() for head in HEADS}
        self._last: dict[str, Counter[str]] = {head: Counter() for head in HEADS}
        self._recent: deque[Answer] = deque()
        self._heard = 0

    def add(self, signal: Signal) -> None:
        """Hear a signal. One of another version than the last begins anew."""
        version = f"{signal.model} {signal.calibration}"
        if version != self._version:
            self._begin(version)
        answer = answer_of(signal)
        if self._heard < self._signals:
            self._heard += 1
            _count(self._first, answer, 1)
            return
        self._recent.append(answer)
        _count(self._last, answer, 1)
        if len(self._recent) > self._signals:
            _count(self._last, self._recent.popleft(), -1)

    def distances(self) -> dict[str, float]:
        """Head → population stability index; empty while a sample is not full. By custom 0.1 is a small move and 0.25
        a large one."""
        if len(self._recent) < self._signals:
            return {}
        return {head: stability_index(self._first[head], self._last[head]) for head in HEADS}


def answer_of(signal: Signal) -> Answer:
    """The label that each of HEADS gives."""
    likeliest = [_likeliest(scores) for scores in (signal.sentiment, signal.severity, signal.risk, signal.topic)]
    likeliest[HEADS.index("risk")] = _likeliest({label: p for label, p in signal.risk.items() if p >= 0.5})
    return tuple(likeliest)


def stability_index(first: Mapping[str, int], last: Mapping[str, int]) -> float:
    """Σ (q - p) ln(q / p) over the labels of two counts. A label that one of them lacks is half a signal there."""
    labels = {label for counts in (first, last) for label, count in counts.items() if count}
    p, q = _shares(first, labels), _shares(last, labels)
    return sum((q[label] - p[label]) * math.log(q[label] / p[label]) for label in labels)


def _shares(counts: Mapping[str, int], labels: Collection[str]) -> dict[str, float]:
    padded = {label: counts.get(label, 0) or 0.5 for label in labels}
    total = sum(padded.values())
    return {label: count / total for label, count in padded.items()}


def _likeliest(scores: Mapping[str, float]) -> str:
    return max(scores, key=scores.__getitem__) if scores else ""


def _count(counts: Mapping[str, Counter[str]], answer: Answer, by: int) -> None:
    for head, label in zip(HEADS, answer, strict=True):
        counts[head][label] += by
