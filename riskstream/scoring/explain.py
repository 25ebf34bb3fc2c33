"""Which words moved a score, found by leaving them out and scoring again. Works on any `Scorer`, exactly.

    words ─► at most `words_max` runs of neighbours, each left out once ─► weights
               ▲                                                             │
               └───── the heavy runs, in at most `words_max` parts ◄─────────┘   at most `ROUNDS` times

Rule 1. A weight is what the log-odds of `risk_score` lose without the words: measured, not estimated.
Rule 2. At most `ROUNDS` × `words_max` + 1 texts are scored for one reading, however long it is.
Rule 3. Where no part of a run weighs half of what the run does, its words say it together: the run is named.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

import msgspec

from riskstream.core.attribution import WEIGHT_MIN, Reading, Spans, candidates, groups, named, without
from riskstream.core.passages import Span, logit
from riskstream.core.ports import Explainer, Scorer
from riskstream.core.records import Encoded, Partition, Ticket

BATCH = 32
ROUNDS = 3
"""Eight runs a round reach the single words of 64 in two rounds; the third is for longer texts and for runs that are
less heavy."""
HEAVY = 0.25
"""Of the heaviest run's weight: what is lighter is not looked into."""
_LANE = Partition("explain", 0)

Run = tuple[Span, ...]
Weighed = list[tuple[Run, float]]


class ExplainLimits(msgspec.Struct, frozen=True):
    """How much is done for one text, and how much is said."""

    words_max: int = 8
    spans_max: int = 6


def explainer_of(scorer: Scorer, limits: ExplainLimits) -> Explainer:
    """The scorer's own explainer, if it has one, else leaving words out."""
    own: Callable[[ExplainLimits], Explainer] | None = getattr(scorer, "explainer", None)
    return LeaveOut(scorer, limits) if own is None else own(limits)


class LeaveOut:
    """Explains any scorer. What it costs is passes of that scorer, in batches of up to 32."""

    def __init__(self, scorer: Scorer, limits: ExplainLimits) -> None:
        self._scorer, self.limits = scorer, limits

    def explain(self, readings: Sequence[Reading]) -> list[Spans]:
        """The spans that moved each score, in order."""
        words_max = self.limits.words_max
        words = [candidates(reading, self._scorer.pieces(reading.text)) for reading in readings]
        bases = self.log_odds([(reading.entity, reading.text) for reading in readings])
        told = self.weigh(readings, bases, [groups(some, words_max) for some in words])
        known: list[set[Run]] = [set() for _ in readings]
        for _ in range(ROUNDS - 1):
            split = [parts_of(weighed, words_max, seen) for weighed, seen in zip(told, known, strict=True)]
            if not any(split):
                break
            parts = self.weigh(readings, bases, [[part for _, some in runs for part in some] for runs in split])
            told = [looked_into(*one) for one in zip(told, split, parts, strict=True)]
            for seen, runs in zip(known, split, strict=True):
                seen.update(run for run, _ in runs)
        return [self.named(*one) for one in zip(readings, told, strict=True)]

    def named(self, reading: Reading, weighed: Weighed) -> Spans:
        """The spans to publish."""
        return named(
            reading.text, [((run[0][0], run[-1][1]), weight) for run, weight in weighed], self.limits.spans_max
        )

    def weigh(
        self, readings: Sequence[Reading], bases: Sequence[float], runs: Sequence[Sequence[Run]]
    ) -> list[Weighed]:
        """What each reading's log-odds, `bases`, lose without each of its runs."""
        pairs = [
            (reading.entity, without(reading.text, run))
            for reading, some in zip(readings, runs, strict=True)
            for run in some
        ]
        left = iter(self.log_odds(pairs))
        return [[(run, base - next(left)) for run in some] for base, some in zip(bases, runs, strict=True)]

    def log_odds(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The log-odds of the risk score of each pair, in order; batches are of like lengths."""
        rows = self._scorer.encode(pairs)
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        found = [0.0] * len(rows)
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            batch = [Encoded(Ticket(_LANE, 0, place), 0, rows[place]) for place in places]
            for place, prediction in zip(places, self._scorer.score(batch), strict=True):
                found[place] = logit(prediction.risk_score)
        return found


def parts_of(weighed: Weighed, parts_max: int, known: Container[Run]) -> list[tuple[Run, tuple[Run, ...]]]:
    """The runs to look into, heaviest first and none of the known, each with its parts; at most `parts_max` parts."""
    least = max((HEAVY * abs(weight) for _, weight in weighed), default=0.0)
    split: list[tuple[Run, tuple[Run, ...]]] = []
    room = parts_max
    for run, weight in sorted(weighed, key=lambda pair: -abs(pair[1])):
        if len(run) > 1 and run not in known and room > 1 and abs(weight) >= max(least, WEIGHT_MIN):
            split.append((run, groups(run, room)))
            room -= len(split[-1][1])
    return split


def looked_into(weighed: Weighed, split: Sequence[tuple[Run, tuple[Run, ...]]], parts: Weighed) -> Weighed:
    """The runs with those that were split replaced by their parts, where the parts tell (rule 3)."""
    weights, into = dict(parts), dict(split)
    told: Weighed = []
    for run, weight in weighed:
        found = [(part, weights[part]) for part in into.get(run, ())]
        if found and max(abs(own) for _, own in found) >= abs(weight) / 2:
            told += found
        else:
            told.append((run, weight))
    return told
