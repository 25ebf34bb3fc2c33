"""The words behind a score: which are asked, which are named, and what of the text is shown with them.

    text, pieces ─► words ─► candidates ─► weights (a model's business) ─► spans ─► snippet with its spans

Rule 1. A word's weight is how much the log-odds of `risk_score` fall when it is left out: positive raised the score.
Rule 2. A word is one piece of the tokenizer, or several that belong together: letters and digits without a gap. Han
        characters are not joined, because the pieces of a Chinese text already are words.
Rule 3. Punctuation and the entity's own name are never named: the name is the question, not an answer.
Rule 4. Named are at most `spans_max`, the heaviest first, each with at least a tenth of the heaviest's weight and one
        that shows in a score at all; neighbours of one direction become one span. Spans are published in text order.
Rule 5. The text shown begins where it always did, unless more than half of what raised the score lies elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from riskstream.core.passages import Span
from riskstream.core.reading.text import snippet
from riskstream.core.records import Passage

Weighted = tuple[int, int, float]
"""(start, end, weight); places are code points."""
Spans = tuple[Weighted, ...]

WEIGHT_MIN = 0.05
"""In log-odds: at an even score, one point of a hundred."""
SHARE_MIN = 0.1
DECIMALS = 3
GAP_CHARS_MAX = 1
JOINED_CHARS_MAX = 32
"""Longer than this a span no longer points at anything."""
LEAD_CHARS = 60
"""What an excerpt shows before its first telling word, at most."""

_CJK = r"㐀-䶿一-鿿豈-\ufaff぀-ヿ\U00020000-\U0003134f"
_HAN = re.compile(f"[{_CJK}]")
_LETTER = rf"[^\W{_CJK}]"
_INNER = "'’-&"
_SENTENCE = re.compile(r"[。！？；\n]|[.!?;]+[\"'”’)]*\s")


class Reading(msgspec.Struct, frozen=True):
    """An entity, as it is asked for, and the text that a score was given for."""

    entity: str
    text: str


class Shown(msgspec.Struct, frozen=True):
    """What a signal shows of its text: an excerpt, the words in it that moved the score, the passage that it is of."""

    text: str
    spans: Spans = ()
    passage: Passage | None = None


def words(text: str, pieces: Sequence[Span]) -> tuple[Span, ...]:
    """The words of a text, in order, none overlapping another (rule 2). Spaces belong to none."""
    found: list[Span] = []
    for first, last in pieces:
        start = max(first, found[-1][1] if found else 0)
        part = text[start:last]
        start += len(part) - len(part.lstrip())
        end = start + len(part.strip())
        if start >= end:
            continue
        if found and found[-1][1] == start and _belong(text, start):
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return tuple(found)


def _belong(text: str, at: int) -> bool:
    """Whether the characters on both sides of a place are of one word."""
    left, right = text[at - 1], text[at]
    if _HAN.match(left) or _HAN.match(right):
        return False
    if left.isalnum() and right.isalnum():
        return True
    if right in _INNER and at + 1 < len(text):
        return left.isalnum() and text[at + 1].isalnum()
    return left in _INNER and at > 1 and text[at - 2].isalnum() and right.isalnum()


def candidates(reading: Reading, pieces: Sequence[Span]) -> tuple[Span, ...]:
    """The words that may be named (rule 3)."""
    text = reading.text
    masked = places(text, reading.entity)
    return tuple(
        (start, end)
        for start, end in words(text, pieces)
        if any(char.isalnum() for char in text[start:end])
        and not any(start < other_end and end > other for other, other_end in masked)
    )


def places(text: str, name: str) -> list[Span]:
    """Where a name stands in a text, in any case, as a word of its own."""
    if not name.strip():
        return []
    opens = f"(?<!{_LETTER})" if re.match(_LETTER, name[0]) else ""
    closes = f"(?!{_LETTER})" if re.match(_LETTER, name[-1]) else ""
    return [found.span() for found in re.finditer(opens + re.escape(name) + closes, text, re.IGNORECASE)]


def groups(found: Sequence[Span], size_max: int) -> tuple[tuple[Span, ...], ...]:
    """Words as at most `size_max` runs of neighbours, as even as can be."""
    count = min(size_max, len(found))
    edges = [round(place * len(found) / count) for place in range(count + 1)] if count else [0]
    return tuple(tuple(found[low:high]) for low, high in pairwise(edges))


def without(text: str, left_out: Sequence[Span]) -> str:
    """The text without these words, which are in order."""
    kept, at = [], 0
    for start, end in left_out:
        kept.append(text[at:start])
        at = end
    return "".join((*kept, text[at:]))


def named(text: str, weights: Sequence[tuple[Span, float]], spans_max: int) -> Spans:
    """The spans to publish, of words with their weights in text order (rule 4)."""
    if not weights:
        return ()
    least = max(WEIGHT_MIN, SHARE_MIN * max(abs(weight) for _, weight in weights))
    heavy = [(span, weight) for span, weight in weights if abs(weight) >= least]
    joined: list[tuple[int, int, float]] = []
    for (start, end), weight in heavy:
        near = bool(joined) and start - joined[-1][1] <= GAP_CHARS_MAX and end - joined[-1][0] <= JOINED_CHARS_MAX
        if near and (joined[-1][2] > 0) == (weight > 0):
            joined[-1] = (joined[-1][0], end, joined[-1][2] + weight)
        else:
            joined.append((start, end, weight))
    chosen = sorted(joined, key=lambda span: (-abs(span[2]), span[0]))[:spans_max]
    return tuple((start, end, round(weight, DECIMALS)) for start, end, weight in sorted(chosen))


def excerpt(text: str, spans: Spans, *, within: Span, begin: int, chars_max: int) -> tuple[str, Spans]:
    """What is shown of `text[within]`, on one line, with the spans that it holds (rule 5). `begin` is where it begins
    unless the spans say otherwise; both are in `within`."""
    low, high = within
    inside = [span for span in spans if low <= span[0] and span[1] <= high]
    raised = sum(weight for *_, weight in inside if weight > 0)
    usual = _shown(text, begin, high, inside, chars_max)
    if 2 * _raised(usual[1]) >= raised:
        return usual
    starts = [low, *(_lead(text, low, start) for start, _, weight in inside if weight > 0)]
    tried = [_shown(text, start, high, inside, chars_max) for start in dict.fromkeys(starts)]
    return max([usual, *tried], key=lambda shown: _raised(shown[1]))


def _raised(spans: Spans) -> float:
    return sum(weight for *_, weight in spans if weight > 0)


def _lead(text: str, low: int, at: int) -> int:
    """Where an excerpt begins that is to hold this place: its sentence, if not far back, else some words before it."""
    first = max(low, at - LEAD_CHARS)
    ends = [found.end() for found in _SENTENCE.finditer(text, first, at)]
    if ends:
        return ends[-1]
    space = text.find(" ", first, at)
    return first if first == low or space < 0 else space + 1


def _shown(
    text: str, start: int, end: int, spans: Sequence[tuple[int, int, float]], chars_max: int
) -> tuple[str, Spans]:
    """`snippet` of a part of the text, and the spans in it that are not cut away."""
    part = text[start:end]
    line = snippet(part, chars_max)
    places: list[int] = []
    size = 0
    for place, char in enumerate(part[: 4 * chars_max]):
        space = char.isspace()
        if not space and size and part[place - 1].isspace():
            size += 1
        places.append(size)
        size += not space
    whole = len(line) - (size != len(line) or len(part) > 4 * chars_max)
    kept = []
    for first, last, weight in spans:
        if first < start or last - start > len(places):
            continue
        left, right = places[first - start], min(whole, places[last - 1 - start] + 1)
        if left < right:
            kept.append((left, right, weight))
    return line, tuple(kept)
