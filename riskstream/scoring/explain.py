"""Which words moved a score, found by leaving them out and scoring again. Works on any `Scorer`.

    text ─► each sentence by itself ─► the highest ─► its words in at most `words_max` runs, each left out ─► weights
                                                        └─► the parts of the heavy runs, too ──────────────────┘

Rule 1. A weight is what the log-odds of `risk_score` lose without the words: measured, not estimated. It is measured
        within the sentence, because what two sentences of a text both say would weigh nothing in either.
Rule 2. Where no sentence is bad news by itself, the whole text is asked.
Rule 3. At most 3.5 × `words_max` texts are scored for one reading, nearly all of them as short as a sentence.
Rule 4. Where no part of a run weighs half of what the run does, its words say it together: the run is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import msgspec

from riskstream.core.passages import Span, logit, sentences
from riskstream.core.ports import Scorer
from riskstream.core.reading.attribution import WEIGHT_MIN, Reading, Spans, candidates, groups, named, without
from riskstream.core.records import Encoded, Partition, Ticket

BATCH = 32
PHRASE_WORDS = 2
"""A run of so many words is not looked into: it reads as well as one."""
HEAVY = 0.25
"""Of the heaviest run's weight: what is lighter is not looked into."""
_LANE = Partition("explain", 0)

Run = tuple[Span, ...]
Weighed = list[tuple[Run, float]]


class ExplainLimits(msgspec.Struct, frozen=True):
    """How much is done for one text, and how much is said."""

    words_max: int = 8
    spans_max: int = 6


class LeaveOut:
    """Explains a scorer. What it costs is passes of that scorer, in batches of up to 32."""

    def __init__(self, scorer: Scorer, limits: ExplainLimits) -> None:
        self._scorer, self._limits = scorer, limits

    def explain(self, readings: Sequence[Reading]) -> list[Spans]:
        """The spans that moved each score, in order. Runs on the model's own thread."""
        found = self._units(readings)
        units, bases = [unit for unit, _ in found], [base for _, base in found]
        asked = [Reading(one.entity, one.text[low:high]) for one, (low, high) in zip(readings, units, strict=True)]
        words = [candidates(one, self._scorer.pieces(one.text)) for one in asked]
        told = self._weigh(asked, bases, [groups(some, self._limits.words_max) for some in words])
        split = [parts_of(weighed, self._limits.words_max // 2) for weighed in told]
        if any(split):
            parts = self._weigh(asked, bases, [[part for _, some in runs for part in some] for runs in split])
            told = [looked_into(*one) for one in zip(told, split, parts, strict=True)]
        return [self._named(*one) for one in zip(asked, units, told, strict=True)]

    def _units(self, readings: Sequence[Reading]) -> list[tuple[Span, float]]:
        """The part of each text that is asked, with its log-odds: its worst sentence, if that is bad news by itself,
        else all of it."""
        some = [groups(sentences(one.text), self._limits.words_max) for one in readings]
        places = [[(run[0][0], run[-1][1]) for run in runs] if len(runs) > 1 else [] for runs in some]
        pairs = [(one.entity, one.text[a:b]) for one, spans in zip(readings, places, strict=True) for a, b in spans]
        scores = iter(self._log_odds(pairs))
        told = [[(span, next(scores)) for span in spans] for spans in places]
        worst = [max(some, default=((0, 0), -inf), key=lambda pair: pair[1]) for some in told]
        whole = [(one.entity, one.text) for one, (_, score) in zip(readings, worst, strict=True) if score < 0.0]
        rest = iter(self._log_odds(whole))
        return [
            (unit, score) if score >= 0.0 else ((0, len(one.text)), next(rest))
            for one, (unit, score) in zip(readings, worst, strict=True)
        ]

    def _named(self, asked: Reading, unit: Span, weighed: Weighed) -> Spans:
        """The spans to publish, in the text that the unit is of."""
        spans = [((run[0][0], run[-1][1]), weight) for run, weight in weighed]
        found = named(asked.text, spans, self._limits.spans_max)
        return tuple((start + unit[0], end + unit[0], weight) for start, end, weight in found)

    def _weigh(self, asked: Sequence[Reading], bases: Sequence[float], runs: Sequence[Sequence[Run]]) -> list[Weighed]:
        """What each text's log-odds, `bases`, lose without each of its runs."""
        pairs = [(one.entity, without(one.text, run)) for one, some in zip(asked, runs, strict=True) for run in some]
        left = iter(self._log_odds(pairs))
        return [[(run, base - next(left)) for run in some] for base, some in zip(bases, runs, strict=True)]

    def _log_odds(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
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


def parts_of(weighed: Weighed, parts_max: int) -> list[tuple[Run, tuple[Run, ...]]]:
    """The runs to look into, heaviest first, each with its parts; at most `parts_max` parts in all."""
    least = max((HEAVY * abs(weight) for _, weight in weighed), default=0.0)
    split: list[tuple[Run, tuple[Run, ...]]] = []
    room = parts_max
    for run, weight in sorted(weighed, key=lambda pair: -abs(pair[1])):
        if len(run) > PHRASE_WORDS and room > 1 and abs(weight) >= max(least, WEIGHT_MIN):
            split.append((run, groups(run, room)))
            room -= len(split[-1][1])
    return split


def looked_into(weighed: Weighed, split: Sequence[tuple[Run, tuple[Run, ...]]], parts: Weighed) -> Weighed:
    """The runs with those that were split replaced by their parts, where the parts tell (rule 4)."""
    weights, into = dict(parts), dict(split)
    told: Weighed = []
    for run, weight in weighed:
        found = [(part, weights[part]) for part in into.get(run, ())]
        if found and max(abs(own) for _, own in found) >= abs(weight) / 2:
            told += found
        else:
            told.append((run, weight))
    return told
