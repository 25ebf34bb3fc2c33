"""Where a long text is read, and which part of it speaks: windows of whole sentences that overlap.

    text, pieces ─► sentences ─► windows of at most `tokens_max` pieces ─► those to read for an entity
                                  ▓▓▓▓▓▓▓                                   (that name it, and their neighbours)
                                       ▓▓▓▓▓▓▓▓                                     │ model
                                             ▓▓▓▓▓▓▓          Prediction  ◄─ lowered ◄─ worst

Rule 1. A text that fits is one window, itself.
Rule 2. A window begins and ends with a sentence. One that would leave no room for the overlap is cut into parts of
        `overlap` pieces, so that what a cut goes through stands whole in the next window.
Rule 3. An entity that nothing places in the text (the feed names it, or nobody is asked about) is read everywhere.
Rule 4. The window with the highest risk score speaks. Of many windows the worst is partly the luckiest, so its logit
        is lowered by `per_log` for each e-fold of windows; `risk_score` and the upper half of severity move together.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from riskstream.core.records import Prediction

Span = tuple[int, int]

_SENTENCE_END = re.compile(r"[。！？；\n]+|[.!?;]+[\"'”’)]*(?=\s)")
CHARS_PER_TOKEN = 8
SLACK = 2
"""A window that begins within a text may have a token or two more than it had there."""
_CERTAIN = 1e-6
"""Scores nearer to 0 or 1 than this are moved as if they were this far away."""


class WindowLimits(msgspec.Struct, frozen=True):
    """How a text that does not fit the model is cut. `tokens_max` is a window's row; 0: as much as the model reads."""

    tokens_max: int = 96
    overlap: int = 24
    windows_max: int = 1_024

    def windows(self, text: str, pieces: Sequence[Span], *, row_max: int, frame: int) -> tuple[Span, ...]:
        """The windows of a text for a model that reads `row_max` tokens, `frame` of which are no text."""
        tokens_max = max(2, min(row_max, self.tokens_max or row_max) - frame - SLACK)
        return windows(text, pieces, tokens_max=tokens_max, overlap=min(self.overlap, tokens_max // 2))


def may_fit(text: str, row_max: int) -> bool:
    """Whether a text is worth trying to read whole; one that is not needs no tokenising to know it."""
    return len(text) <= row_max * CHARS_PER_TOKEN


class _Unit(msgspec.Struct, frozen=True):
    """What is not cut any further: a sentence, or a part of a very long one."""

    start: int
    end: int
    tokens: int


def windows(text: str, pieces: Sequence[Span], *, tokens_max: int, overlap: int) -> tuple[Span, ...]:
    """The windows of a text, in order. `pieces` are the places of its tokens; `overlap` < `tokens_max`."""
    if len(pieces) <= tokens_max:
        return ((0, len(text)),)
    units = _units(text, [start for start, _ in pieces], whole_max=tokens_max - overlap, part=max(1, overlap))
    found: list[Span] = []
    first = 0
    while True:
        last, tokens = first, 0
        while last < len(units) and tokens + units[last].tokens <= tokens_max:
            tokens += units[last].tokens
            last += 1
        found.append((units[first].start, units[last - 1].end))
        if last == len(units):
            return tuple(found)
        room = min(overlap, tokens_max - units[last].tokens)
        first = last
        while units[first - 1].tokens <= room:
            first -= 1
            room -= units[first].tokens


def sentences(text: str) -> tuple[Span, ...]:
    """The sentences of a text, in order, each with the space after it; those that say nothing are part of another."""
    found: list[Span] = []
    start = 0
    for end in [*(one.end() for one in _SENTENCE_END.finditer(text)), len(text)]:
        if any(char.isalnum() for char in text[start:end]):
            found.append((start, end))
            start = end
    if found and start < len(text):
        found[-1] = (found[-1][0], len(text))
    return tuple(found)


def _units(text: str, starts: Sequence[int], *, whole_max: int, part: int) -> list[_Unit]:
    """The sentences of a text, each with its tokens, the long ones cut. Together they are the whole text."""
    ends = [found.end() for found in _SENTENCE_END.finditer(text)]
    if not ends or ends[-1] < len(text):
        ends.append(len(text))
    units: list[_Unit] = []
    start = first = 0
    for end in ends:
        last = bisect_left(starts, end, lo=first) if end < len(text) else len(starts)
        size = part if last - first > whole_max else max(1, last - first)
        while last - first > size:
            units.append(_Unit(start, starts[first + size], size))
            start, first = starts[first + size], first + size
        units.append(_Unit(start, end, last - first))
        start, first = end, last
    return units


def to_read(spans: Sequence[Span], places: Sequence[int], windows_max: int) -> tuple[tuple[int, ...], int]:
    """Which windows are read for an entity that is named at `places`, in order, and how many had to be left out.

    Those that name it go before their neighbours; without places (rule 3) the first ones are read.
    """
    named = [index for index, (start, end) in enumerate(spans) if _holds(places, start, end)]
    if not named:
        order = list(range(len(spans)))
    else:
        beside = {index + step for index in named for step in (-1, 1)} - set(named)
        order = named + sorted(index for index in beside if 0 <= index < len(spans))
    return tuple(sorted(order[:windows_max])), max(0, len(order) - windows_max)


def _holds(places: Sequence[int], start: int, end: int) -> bool:
    """Whether one of the places, which are in order, lies in the span."""
    at = bisect_left(places, start)
    return at < len(places) and places[at] < end


def apart(spans: Sequence[Span], scores: Sequence[float], score_min: float) -> tuple[Span, ...]:
    """The risky windows, in order, each without what it shares with a riskier one: so none is told twice."""
    taken: list[Span] = []
    for index in sorted(range(len(spans)), key=lambda index: -scores[index]):
        start, end = spans[index]
        for low, high in taken:
            start, end = (high if low <= start < high else start), (low if low < end <= high else end)
        if scores[index] >= score_min and start < end:
            taken.append((start, end))
    return tuple(sorted(taken))


def worst(predictions: Sequence[Prediction], per_log: float) -> tuple[int, Prediction]:
    """The window that speaks, and what it says among so many. One that is no number speaks first."""
    index = max(range(len(predictions)), key=lambda i: (math.isnan(predictions[i].risk_score), _score(predictions[i])))
    return index, lowered(predictions[index], per_log * math.log(len(predictions)))


def _score(prediction: Prediction) -> float:
    return 0.0 if math.isnan(prediction.risk_score) else prediction.risk_score


def lowered(prediction: Prediction, by: float) -> Prediction:
    """The same prediction with the logit of material or severe lowered; within each half severity keeps its shares."""
    if not by or math.isnan(prediction.risk_score):
        return prediction
    severity = prediction.severity
    middle = len(severity) // 2
    was = min(1.0, sum(severity[middle:]))
    now = _moved(was, by)
    low, high = (1 - now) / (1 - was) if was < 1 else 0.0, now / was if was > _CERTAIN else 0.0
    shares = (*(share * low for share in severity[:middle]), *(share * high for share in severity[middle:]))
    return msgspec.structs.replace(
        prediction,
        severity=tuple(share / sum(shares) for share in shares),
        risk_score=_moved(prediction.risk_score, by),
    )


def logit(probability: float) -> float:
    """The log-odds; finite also at 0 and 1."""
    within = min(max(probability, _CERTAIN), 1 - _CERTAIN)
    return math.log(within / (1 - within))


def _moved(probability: float, by: float) -> float:
    return 1 / (1 + math.exp(by - logit(probability)))
