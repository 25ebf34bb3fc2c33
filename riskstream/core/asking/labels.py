"""Labels that come back: records of `riskstream.labels` to one answer per question.

    Message ──read_label()──► Label | Refused ──gather()──► Question   last word of each annotator, then agreement
                                                              └─ in_held(text): which fifth is never trained on

Rule 1. The last record of an annotator about a question is what he says; one without labels takes his word back.
        A record without a value takes back everything under its key.
Rule 2. Where annotators differ about a head, that head is left unlabelled, and counted as disputed.
Rule 3. A label that cannot be used is a value with a fault from a closed set; it stops nothing.
Rule 4. Held or trained on is a function of the text alone, so a text never changes sides between rounds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal

import msgspec

from riskstream.core.records import SCHEMA, Labels, Message, Position, Signal

Why = Literal["unsure", "random", "disputed"]
WHYS: tuple[Why, ...] = ("unsure", "random", "disputed")
HEADS = ("sentiment", "severity", "risk", "topic")
HELD_OF = 5
"""One text in five is held back from training and asked afterwards."""
DETAIL_CHARS_MAX = 200


class Given(msgspec.Struct, frozen=True, omit_defaults=True):
    """The labels of one pair by head; a head that is missing is unlabelled, never negative."""

    sentiment: str | None = None
    severity: int | None = None
    risk: tuple[str, ...] | None = None
    topic: str | None = None


class Label(msgspec.Struct, frozen=True):
    """A record of riskstream.labels and riskstream.reviews, as schemas/label.json has it."""

    signal_id: str = ""
    document_id: str = ""
    entity: str = ""
    text: str = ""
    lang: str = ""
    source: str = ""
    labels: Given = Given()
    annotator: str = ""
    at: str = ""
    why: Why = "random"
    sampling_rate: float = 1.0
    schema: int = SCHEMA


class Fault(StrEnum):
    """Why a label cannot be used: a closed set."""

    MALFORMED = "malformed"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_LABEL = "unknown_label"
    NO_TEXT = "no_text"
    NO_SIGNAL = "no_signal"


class Refused(msgspec.Struct, frozen=True):
    """A label that cannot be used. `detail` names the field and its value for a person."""

    position: Position
    fault: Fault
    detail: str


class Question(msgspec.Struct, frozen=True):
    """One pair and what is agreed about it. `new` is whether any of it came after the last round."""

    position: Position
    signal_id: str
    entity: str
    text: str
    lang: str
    source: str
    labels: Given
    new: bool


class Gathered(msgspec.Struct, frozen=True):
    """All questions with an agreed label; heads left out because annotators differ; questions taken back."""

    questions: tuple[Question, ...]
    disputed: int
    withdrawn: int


_DECODER = msgspec.json.Decoder(Label)


def read_label(message: Message, labels: Labels) -> Label | Refused:
    """The label of a message, its names checked against those of the model."""
    key = (message.key or b"").decode("utf-8", "replace")
    if message.value is None:
        return Label(signal_id=key)
    try:
        label = _DECODER.decode(message.value)
    except msgspec.ValidationError as error:
        return Refused(message.position, Fault.WRONG_TYPE, str(error)[:DETAIL_CHARS_MAX])
    except (ValueError, RecursionError) as error:
        return Refused(message.position, Fault.MALFORMED, str(error)[:DETAIL_CHARS_MAX])
    if not label.signal_id and not label.text.strip():
        return Refused(message.position, Fault.NO_TEXT, "it has neither a text nor a signal_id")
    if unknown := _unknown(label.labels, labels):
        return Refused(message.position, Fault.UNKNOWN_LABEL, unknown[:DETAIL_CHARS_MAX])
    return label


def _unknown(given: Given, labels: Labels) -> str:
    """The first label that the model does not have, or nothing."""
    named = (("sentiment", given.sentiment, labels.sentiment), ("topic", given.topic, labels.topic))
    for head, name, names in named:
        if name is not None and name not in names:
            return f"labels.{head} = {name!r} is not one of {', '.join(names)}"
    if given.severity is not None and not 0 <= given.severity < len(labels.severity):
        return f"labels.severity = {given.severity} is not in 0..{len(labels.severity) - 1}"
    for name in given.risk or ():
        if name not in labels.risk:
            return f"labels.risk holds {name!r}, which is not one of {', '.join(labels.risk)}"
    return ""


def gather(read: Iterable[tuple[Message, Label]], since: Mapping[int, int]) -> Gathered:
    """What is agreed, oldest question first. `since` is the first new offset of each partition."""
    said: dict[str, dict[str, tuple[Message, Label]]] = {}
    for message, label in read:
        about = said.setdefault(label.signal_id or _name(label), {})
        if message.value is None:
            about.clear()
        else:
            about[label.annotator] = (message, label)
    questions, disputed, withdrawn = [], 0, 0
    for about in said.values():
        spoken = [(m, label) for m, label in about.values() if label.labels != Given()]
        if not spoken:
            withdrawn += 1
            continue
        given, differing = _agreed([label.labels for _, label in spoken])
        disputed += differing
        if given != Given():
            questions.append(_question(spoken, given, since))
    return Gathered(tuple(questions), disputed, withdrawn)


def _name(label: Label) -> str:
    return "text:" + hashlib.blake2b(f"{label.entity}\0{label.text}".encode(), digest_size=16).hexdigest()


def _agreed(said: list[Given]) -> tuple[Given, int]:
    """Per head what all say who say anything, and the number of heads where they differ."""
    agreed: dict[str, object] = {}
    for head in HEADS:
        answers = [getattr(given, head) for given in said if getattr(given, head) is not None]
        if answers and all(_same(answer) == _same(answers[0]) for answer in answers):
            agreed[head] = answers[0]
        elif answers:
            agreed[head] = _DISPUTED
    differing = sum(value is _DISPUTED for value in agreed.values())
    return msgspec.convert({k: v for k, v in agreed.items() if v is not _DISPUTED}, Given), differing


_DISPUTED = object()


def _same(answer: object) -> object:
    return frozenset(answer) if isinstance(answer, tuple) else answer


def _question(spoken: list[tuple[Message, Label]], given: Given, since: Mapping[int, int]) -> Question:
    """Position of the newest record; the text of whoever sent one."""
    newest, last = spoken[-1]
    whole = next((label for _, label in reversed(spoken) if label.text.strip()), last)
    new = any(m.position.offset >= since.get(m.position.partition, 0) for m, _ in spoken)
    return Question(newest.position, last.signal_id, whole.entity, whole.text, whole.lang, whole.source, given, new)


def join(question: Question, scored: Label | Signal) -> Question:
    """The question with the text of what was scored under its `signal_id`: a review, whole, or a signal's beginning."""
    if isinstance(scored, Label):
        entity, text = scored.entity, scored.text
    else:
        entity, text = scored.entity.mention, "\n".join(part for part in (scored.title, scored.snippet) if part)
    return msgspec.structs.replace(question, entity=entity, text=text, lang=scored.lang, source=scored.source)


def in_held(text: str) -> bool:
    """Whether a text is held back from training, in this and every round; case and spaces make no difference."""
    plain = " ".join(text.casefold().split())
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest(), "big") % HELD_OF == 0
