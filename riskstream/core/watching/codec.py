"""Signals and alerts as bytes, and the signal made of a scored document.

    (Document, Mention, Prediction, Labels) ──signal()──► Signal ──encode()──► bytes ──decode_signal()──► Signal

Rule 1. What is written is read back as the same value. Fields that a reader does not know are ignored, because
        changes only add fields; a field that is missing or has another type is an error.
Rule 2. A probability is rounded to four decimals before it is written, never after it is read.
Rule 3. A record of ours that cannot be read comes from another writer. `read_signal` and `read_alert` therefore give
        a `Rejected`, so that a stranger's record on the topic stops no lane.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from riskstream.core.clock import format_ms, parse_ms
from riskstream.core.errors import InternalError
from riskstream.core.reading.attribution import Shown
from riskstream.core.reading.telling import Telling
from riskstream.core.records import (
    Alert,
    Document,
    Labels,
    Mention,
    Message,
    Position,
    Prediction,
    Reason,
    Rejected,
    Signal,
)
from riskstream.core.watching.rollups import Rollup

DECIMALS = 4
TOPIC_LABELS_MAX = 3
TOPIC_MIN = 0.05
DETAIL_CHARS_MAX = 200

_R = TypeVar("_R", bound=msgspec.Struct)
_ENCODER = msgspec.json.Encoder()
_SIGNAL = msgspec.json.Decoder(Signal)
_ALERT = msgspec.json.Decoder(Alert)


def encode(record: Signal | Alert | Rollup) -> bytes:
    """The JSON of a published record, its fields in the order of the contract."""
    return _ENCODER.encode(record)


def decode_signal(data: bytes) -> Signal:
    """The signal of these bytes. Raises ValueError, which names the field, where they are none."""
    return _decode(_SIGNAL, data)


def decode_alert(data: bytes) -> Alert:
    """The alert of these bytes. Raises ValueError, which names the field, where they are none."""
    return _decode(_ALERT, data)


def read_signal(message: Message) -> Signal | Rejected:
    """The signal of a message of the signals topic, or why it is none. Its times can be read."""
    found = _read(_SIGNAL, message)
    if isinstance(found, Rejected):
        return found
    return _untimely(message, published_at=found.published_at, received_at=found.received_at) or found


class _Rollup(msgspec.Struct, frozen=True):
    """A rollup whose signal is left as it came."""

    by: str
    id: str
    name: str = ""
    signal: msgspec.Raw = msgspec.Raw()
    heard_at: str = ""
    kind: str = ""
    lang: str = ""


_ROLLUP = msgspec.json.Decoder(_Rollup)


def read_rollup(message: Message) -> tuple[Rollup, msgspec.Raw | None] | Rejected:
    """The rollup of a message of the rollups topic, with its signal's JSON as it came, or why it is none."""
    found = _read(_ROLLUP, message)
    if isinstance(found, Rejected):
        return found
    raw, signal = bytes(found.signal), None
    if raw:
        read = read_signal(msgspec.structs.replace(message, value=raw))
        if isinstance(read, Rejected):
            return read
        signal = read
    elif (bad := _untimely(message, heard_at=found.heard_at)) is not None:
        return bad
    rollup = Rollup(found.by, found.id, found.name, signal, found.heard_at, found.kind, found.lang)
    return rollup, msgspec.Raw(raw) if raw else None


def _untimely(message: Message, **times: str) -> Rejected | None:
    """Why a record is none of ours: the first of its times that cannot be read."""
    for name, text in times.items():
        try:
            parse_ms(text)
        except ValueError:
            return Rejected(message.position, Reason.BAD_TIME, f"{name} = {text!r}"[:DETAIL_CHARS_MAX])
    return None


def read_alert(message: Message) -> Alert | Rejected:
    """The alert of a message of the alerts topic, or why it is none. Its times can be read."""
    found = _read(_ALERT, message)
    if isinstance(found, Rejected):
        return found
    ends_at = found.ends_at or found.updated_at
    return _untimely(message, starts_at=found.starts_at, updated_at=found.updated_at, ends_at=ends_at) or found


def signal_id(position: Position, entity_id: str) -> str:
    """`topic/partition/offset#ENTITY`: the same document and entity always have the same."""
    return f"{position.topic}/{position.partition}/{position.offset}#{entity_id}"


class Scored(msgspec.Struct, frozen=True):
    """By what a document was scored, and when."""

    labels: Labels
    model: str
    calibration: str
    at_ms: int


def signal(
    document: Document,
    telling: Telling,
    mention: Mention,
    prediction: Prediction,
    scored: Scored,
    shown: Shown | None = None,
) -> Signal:
    """The signal of one scored pair, with the document's own snippet unless something else is `shown`. `revision` is
    False: only the watch stage can tell."""
    shown = shown or Shown(document.snippet)
    heads = (prediction.sentiment, prediction.severity, prediction.risk, prediction.topic, (prediction.risk_score,))
    if not all(math.isfinite(sum(head)) for head in heads):
        raise InternalError(f"a prediction of {scored.model} for {document.position} is not finite: {prediction}")
    named = name_heads(prediction, scored.labels)
    return Signal(
        signal_id=signal_id(document.position, mention.id),
        document_id=document.document_id,
        revision=False,
        entity=msgspec.structs.replace(mention, relevance=round(mention.relevance, DECIMALS)),
        published_at=format_ms(document.published_ms),
        received_at=format_ms(document.received_ms),
        scored_at=format_ms(scored.at_ms),
        late=document.late,
        clamped=document.clamped,
        source=document.source,
        kind=document.kind,
        lang=document.lang,
        title=document.title,
        snippet=shown.text,
        url=document.url,
        sentiment=named.sentiment,
        severity=named.severity,
        risk=named.risk,
        topic=named.topic,
        risk_score=named.risk_score,
        fingerprint=document.fingerprint,
        model=scored.model,
        calibration=scored.calibration,
        voice=telling.voice,
        weight=telling.weight,
        stance=telling.stance,
        sketch=telling.sketch,
        spans=shown.spans,
        passage=shown.passage,
    )


class NamedHeads(msgspec.Struct, frozen=True):
    """A prediction as it is published: label → probability, rounded; of the topics only the strongest."""

    sentiment: dict[str, float]
    severity: dict[str, float]
    risk: dict[str, float]
    topic: dict[str, float]
    risk_score: float


def name_heads(prediction: Prediction, labels: Labels) -> NamedHeads:
    """The probabilities of a prediction under their labels."""
    return NamedHeads(
        sentiment=_named(labels.sentiment, prediction.sentiment),
        severity=_named(labels.severity, prediction.severity),
        risk=_named(labels.risk, prediction.risk),
        topic=_strongest(labels.topic, prediction.topic),
        risk_score=round(prediction.risk_score, DECIMALS),
    )


def _named(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    return {name: round(value, DECIMALS) for name, value in zip(names, values, strict=True)}


def _strongest(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """Of twenty topics only those that say something, strongest first: the rest is most of a record's bytes."""
    named = _named(names, values)
    order = sorted(named, key=lambda name: -named[name])
    return {name: named[name] for name in order[:TOPIC_LABELS_MAX] if named[name] >= TOPIC_MIN}


def _decode(decoder: msgspec.json.Decoder[_R], data: bytes) -> _R:
    try:
        return decoder.decode(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _read(decoder: msgspec.json.Decoder[_R], message: Message) -> _R | Rejected:
    if message.value is None:
        return Rejected(message.position, Reason.NULL_VALUE, "the record has no value")
    try:
        return _decode(decoder, message.value)
    except msgspec.ValidationError as error:
        return Rejected(message.position, Reason.WRONG_TYPE, str(error)[:DETAIL_CHARS_MAX])
    except ValueError as error:
        return Rejected(message.position, Reason.MALFORMED, str(error)[:DETAIL_CHARS_MAX])
