"""A text that somebody asks about, read as a document of a feed would be, and the answer to it.

    (entity, text) ─► clean, cut ─► Question ─► worst window ─► answer: heads, passage
                                        └─► Question of the risky passages, apart ─► passages
                     each a row a window, for the model                each, if wished, with spans

Rule 1. Places in an answer are code points of the text as it was sent, whatever cleaning did to it.
Rule 2. Without an entity, or with one that the text does not name, all of the text is read.
Rule 3. Passages do not overlap. Each is told with what it says read alone; the answer itself is the worst window's,
        lowered for their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from riskstream.core.passages import Span, WindowLimits, apart, may_fit, to_read, worst
from riskstream.core.ports import Scorer
from riskstream.core.reading import text as texts
from riskstream.core.reading.attribution import Reading, Spans, places
from riskstream.core.reading.text import Origin
from riskstream.core.records import Encoded, Partition, Passage, Prediction, Reason, Ticket
from riskstream.core.watching import codec

_LANE = Partition("ask", 0)

Answer = dict[str, object]


class Wishes(msgspec.Struct, frozen=True):
    """What is told beside the scores: the words that moved them, and every passage of at least `risk_score_min`."""

    explain: bool = False
    passages: bool = False
    risk_score_min: float = 0.5


class Question(msgspec.Struct, frozen=True):
    """A text made ready: what is read of it, and the way back to the text as it was sent."""

    entity: str
    text: str
    origin: Origin
    windows: tuple[Span, ...]
    tokens: tuple[tuple[int, ...], ...]
    left_out: int = 0
    cut: bool = False

    def reading(self, window: int) -> Reading:
        """What is explained of a window."""
        start, end = self.windows[window]
        return Reading(self.entity, self.text[start:end])


def questions(pairs: Sequence[tuple[str, str]], scorer: Scorer, limits: WindowLimits) -> list[Question]:
    """The questions of (entity, text) pairs, in order. Tokenises, so never on the event loop."""
    clean = [(texts.clean(entity).strip(), texts.clean(text)) for entity, text in pairs]
    tried = [may_fit(text, scorer.tokens_max) for _, text in clean]
    rows = iter(scorer.encode([pair for pair, try_it in zip(clean, tried, strict=True) if try_it]))
    made = []
    for (entity, text), (_, sent), try_it in zip(clean, pairs, tried, strict=True):
        origin = Origin(texts.normalise(sent))
        row = next(rows) if try_it else ()
        if row and len(row) < scorer.tokens_max:
            made.append(Question(entity, text, origin, ((0, len(text)),), (row,)))
            continue
        frame = len(scorer.encode([(entity, "")])[0])
        spans = limits.windows(text, scorer.pieces(text), row_max=scorer.tokens_max, frame=frame)
        read, left_out = to_read(spans, [start for start, _ in places(text, entity)], limits.windows_max)
        kept = tuple(spans[place] for place in read)
        tokens = scorer.encode([(entity, text[start:end]) for start, end in kept])
        made.append(Question(entity, text, origin, kept, tuple(tokens), left_out, len(spans) > 1))
    return made


def risky_of(question: Question, found: Sequence[Prediction], scorer: Scorer, wishes: Wishes) -> Question:
    """The same text, of which the risky passages are read again, each without what it shares with a riskier one."""
    scores = [one.risk_score for one in found]
    spans = tuple(
        (start, end)
        for start, end in apart(question.windows, scores, wishes.risk_score_min)
        if not texts.is_blank(question.text[start:end])
    )
    tokens = tuple(scorer.encode([(question.entity, question.text[start:end]) for start, end in spans]))
    return msgspec.structs.replace(question, windows=spans, tokens=tokens)


def items_of(asked: Sequence[Question]) -> list[Encoded]:
    """The rows of all questions; a ticket's sequence is its question's place, an index its window's."""
    return [
        Encoded(Ticket(_LANE, 0, place), index, row)
        for place, question in enumerate(asked)
        for index, row in enumerate(question.tokens)
    ]


def answer(question: Question, found: Sequence[Prediction], scorer: Scorer) -> tuple[Answer, int]:
    """The answer to a question, and the window that speaks; `error` and `detail` where the model gave no number."""
    first, said = worst(found, scorer.per_log)
    if not math.isfinite(said.risk_score):
        return {"error": Reason.MODEL_ERROR, "detail": f"{scorer.name} gave {said.risk_score}"}, first
    told: Answer = {**msgspec.structs.asdict(codec.name_heads(said, scorer.labels)), "model": scorer.name}
    if question.cut:
        place = question.origin.span(*question.windows[first])
        told["passage"] = Passage(*place, len(question.windows), question.left_out)
    return told, first


def passages_of(
    question: Question, found: Sequence[Prediction], scorer: Scorer, wishes: Wishes
) -> list[tuple[int, Answer]]:
    """The windows of `risky_of` that are risky by themselves, each with what is told of it."""
    told: list[tuple[int, Answer]] = []
    for window, said in enumerate(found):
        if said.risk_score >= wishes.risk_score_min:
            start, end = question.windows[window]
            at, to = question.origin.span(start, end)
            heads = codec.name_heads(said, scorer.labels)
            passage: Answer = {"start": at, "end": to, "text": question.text[start:end].strip()}
            passage |= {"risk_score": heads.risk_score, "severity": heads.severity, "risk": heads.risk}
            told.append((window, passage))
    return told


def sent(question: Question, window: int, spans: Spans) -> Spans:
    """The spans of a window, in the text as it was sent."""
    low = question.windows[window][0]
    return tuple((*question.origin.span(start + low, end + low), weight) for start, end, weight in spans)
