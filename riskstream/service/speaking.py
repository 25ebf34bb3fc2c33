"""From predictions to signals: which window of a document speaks, what is shown of it, and who is asked about it.

    Prepared, predictions ─► speak ─► Spoken, one a mention ─► (explain) ─► assemble ─► Signals ─► reviews_of
                               └────► Rejected

Rule 1. A document of which one pair could not be scored is rejected whole: half a document would read as good news.
Rule 2. A signal shows the document's own snippet unless a passage speaks, or the words that tell lie elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from riskstream.core.asking.labels import Why
from riskstream.core.asking.reviews import ReviewPolicy, review, why
from riskstream.core.errors import InternalError
from riskstream.core.passages import worst
from riskstream.core.ports import Scorer
from riskstream.core.reading.attribution import Reading, Shown, Spans, excerpt
from riskstream.core.reading.text import SNIPPET_CHARS_MAX
from riskstream.core.records import Document, Mention, Output, Passage, Prediction, Reason, Rejected, Signal
from riskstream.core.watching import codec
from riskstream.service.pipeline import Prepared, Window, text_of

PASSAGE_CHARS_MAX = 500
"""Of a long text more is shown than of a short one: who reads it has further to go for the rest."""


class Spoken(msgspec.Struct, frozen=True):
    """What a document says about one of its mentions: the prediction of the window that speaks."""

    mention: Mention
    window: Window
    prediction: Prediction
    passage: Passage | None


def speak(
    prepared: Prepared, predictions: Sequence[Prediction | Rejected], per_log: float
) -> tuple[Spoken, ...] | Rejected:
    """What a document says about each mention, from the predictions of its windows, in their order."""
    said: list[list[tuple[Window, Prediction]]] = [[] for _ in prepared.mentions]
    for window, prediction in zip(prepared.windows, predictions, strict=True):
        if isinstance(prediction, Rejected):
            return prediction
        said[window.mention].append((window, prediction))
    spoken = []
    for mention, some, left_out in zip(prepared.mentions, said, prepared.left_out, strict=True):
        index, prediction = worst([prediction for _, prediction in some], per_log)
        if not math.isfinite(prediction.risk_score):
            detail = f"the model gave {prediction.risk_score} for entity {mention.id!r}"
            return Rejected(prepared.message.position, Reason.MODEL_ERROR, detail)
        window = some[index][0]
        passage = None if window.origin is None else Passage(*window.origin, len(some), left_out)
        spoken.append(Spoken(mention, window, prediction, passage))
    return tuple(spoken)


def explained(spoken: Sequence[Spoken], risk_score_min: float) -> list[int]:
    """The places of the mentions of which the document says something that is to be explained."""
    return [place for place, one in enumerate(spoken) if one.prediction.risk_score >= risk_score_min]


def reading_of(prepared: Prepared, spoken: Spoken) -> Reading:
    """What is explained: the mention, and the window that speaks."""
    return Reading(spoken.mention.mention, text_of(prepared)[spoken.window.start : spoken.window.end])


def assemble(
    prepared: Prepared, spoken: Sequence[Spoken], explained: Mapping[int, Spans], scorer: Scorer, scored_ms: int
) -> tuple[Signal, ...]:
    """The signals of a document, in the order of its mentions. `explained` has the spans of some, by their place."""
    document, telling = prepared.document, prepared.telling
    if not isinstance(document, Document) or telling is None:
        raise InternalError(f"{prepared.message.position} was rejected and has no signals")
    scored = codec.Scored(scorer.labels, scorer.name, scorer.calibration, scored_ms)
    return tuple(
        codec.signal(
            document, telling, one.mention, one.prediction, scored, _shown(document, one, explained.get(place, ()))
        )
        for place, one in enumerate(spoken)
    )


def _shown(document: Document, spoken: Spoken, spans: Spans) -> Shown:
    """The excerpt of the window that speaks; where nothing else is to be shown, the document's own snippet."""
    if spoken.passage is None and not spans:
        return Shown(document.snippet)
    low, high = spoken.window.start, spoken.window.end
    begin, chars_max = (document.body_at, SNIPPET_CHARS_MAX) if spoken.passage is None else (low, PASSAGE_CHARS_MAX)
    placed = tuple((start + low, end + low, weight) for start, end, weight in spans)
    text, kept = excerpt(document.text, placed, within=(low, high), begin=begin, chars_max=chars_max)
    return Shown(text, kept, spoken.passage)


def reviews_of(
    document: Document | Rejected, signals: Sequence[Signal], policy: ReviewPolicy, topic: str
) -> list[tuple[Why, Output]]:
    """The records that ask for labels of these signals, each with why."""
    asked: list[tuple[Why, Output]] = []
    for signal in signals:
        chosen = why(signal.signal_id, signal.risk_score, policy)
        if chosen is not None and isinstance(document, Document):
            record = msgspec.json.encode(review(document, signal, chosen, policy))
            asked.append((chosen.why, Output(topic, signal.signal_id.encode(), record)))
    return asked
