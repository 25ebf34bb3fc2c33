"""Labels that come back, as a table of what people send and what is made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
import pytest

from riskstream.core.asking.labels import (
    HELD_OF,
    Fault,
    Given,
    Label,
    Question,
    Refused,
    gather,
    in_held,
    join,
    read_label,
)
from riskstream.core.records import Labels, Message, Position
from tests.core.signals import make_signal

LABELS = Labels(
    ("negative", "neutral", "positive"), ("none", "watch", "material", "severe"), ("credit", "cyber"), ("Macro",)
)


def message(value: object, offset: int = 0, key: bytes | None = b"k") -> Message:
    data = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    return Message(Position("labels", 0, offset), 0, key, data)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"{", Fault.MALFORMED),
        (b"\xff", Fault.MALFORMED),
        (b'{"x":' + b"[" * 5_000, Fault.MALFORMED),
        (b"[]", Fault.WRONG_TYPE),
        ({"signal_id": 7}, Fault.WRONG_TYPE),
        ({"signal_id": "s", "labels": {"severity": "material"}}, Fault.WRONG_TYPE),  # its number, not its name
        ({"signal_id": "s", "labels": {"risk": "credit"}}, Fault.WRONG_TYPE),
        ({"signal_id": "s", "why": "bored"}, Fault.WRONG_TYPE),
        ({"labels": {"severity": 1}}, Fault.NO_TEXT),
        ({"text": "  ", "labels": {"severity": 1}}, Fault.NO_TEXT),
        ({"signal_id": "s", "labels": {"severity": 4}}, Fault.UNKNOWN_LABEL),
        ({"signal_id": "s", "labels": {"severity": -1}}, Fault.UNKNOWN_LABEL),
        ({"signal_id": "s", "labels": {"sentiment": "bad"}}, Fault.UNKNOWN_LABEL),
        ({"signal_id": "s", "labels": {"risk": ["credit", "weather"]}}, Fault.UNKNOWN_LABEL),
        ({"signal_id": "s", "labels": {"topic": "Sports"}}, Fault.UNKNOWN_LABEL),
    ],
)
def test_a_label_that_cannot_be_used_says_why(value: object, fault: Fault) -> None:
    found = read_label(message(value), LABELS)
    assert isinstance(found, Refused)
    assert (found.fault, found.position.offset) == (fault, 0)
    assert 0 < len(found.detail) <= 200


@pytest.mark.parametrize(
    "labels", [{"severity": 0}, {"severity": 3, "risk": []}, {"sentiment": "positive", "topic": "Macro"}, {}]
)
def test_any_heads_may_be_given(labels: dict[str, object]) -> None:
    found = read_label(message({"signal_id": "s", "labels": labels, "comment": "passed over"}), LABELS)
    assert isinstance(found, Label)
    assert found.labels == msgspec.convert(labels, Given)


def told(*said: tuple[str, str, object], since: Mapping[int, int] | None = None) -> dict[str, Given]:
    """(signal id, annotator, labels; None: a record without a value) to what is agreed."""
    read = []
    for offset, (name, annotator, labels) in enumerate(said):
        value = None if labels is None else {"signal_id": name, "annotator": annotator, "labels": labels, "text": name}
        one = message(value, offset, name.encode())
        label = read_label(one, LABELS)
        assert isinstance(label, Label)
        read.append((one, label))
    return {question.signal_id: question.labels for question in gather(read, since or {}).questions}


@pytest.mark.parametrize(
    ("said", "agreed"),
    [
        ([("a", "ann", {"severity": 1})], {"a": Given(severity=1)}),
        ([("a", "ann", {"severity": 1}), ("a", "ann", {"severity": 2})], {"a": Given(severity=2)}),  # the last word
        ([("a", "ann", {"severity": 1}), ("a", "ann", {})], {}),  # taken back
        ([("a", "ann", {"severity": 1}), ("a", "bob", {"severity": 1})], {"a": Given(severity=1)}),
        ([("a", "ann", {"severity": 1}), ("a", "bob", {"severity": 2})], {}),  # disputed
        (
            [("a", "ann", {"severity": 1, "topic": "Macro"}), ("a", "bob", {"severity": 2})],
            {"a": Given(topic="Macro")},  # the other head is agreed
        ),
        ([("a", "ann", {"severity": 1}), ("a", "bob", {"severity": 2}), ("a", "bob", {})], {"a": Given(severity=1)}),
        ([("a", "ann", {"risk": ["credit", "cyber"]}), ("a", "bob", {"risk": ["cyber", "credit"]})],
         {"a": Given(risk=("credit", "cyber"))}),  # an order of categories says nothing
        ([("a", "ann", {"severity": 1}), ("b", "ann", {"severity": 2}), ("a", "", None)], {"b": Given(severity=2)}),
        ([("a", "ann", {"severity": 1}), ("a", "", None), ("a", "bob", {"severity": 3})], {"a": Given(severity=3)}),
    ],
)  # fmt: skip
def test_the_last_word_of_each_and_what_all_agree_on(
    said: list[tuple[str, str, object]], agreed: dict[str, Given]
) -> None:
    assert told(*said) == agreed


def test_what_came_after_the_last_round_is_new() -> None:
    read = []
    for offset, name in enumerate("abca"):
        one = message({"signal_id": name, "text": name, "labels": {"severity": offset}}, offset)
        label = read_label(one, LABELS)
        assert isinstance(label, Label)
        read.append((one, label))
    found = {q.signal_id: q.new for q in gather(read, {0: 2}).questions}
    assert found == {"a": True, "b": False, "c": True}
    assert not any(q.new for q in gather(read, {0: 4}).questions)
    assert all(q.new for q in gather(read, {}).questions)


def test_a_label_without_a_text_takes_that_of_what_was_scored() -> None:
    question = Question(Position("labels", 0, 0), "s", "", "", "", "", Given(severity=1), new=True)
    signal = make_signal(title="Acme fell", snippet="by a third", lang="zh", source="w")
    joined = join(question, signal)
    assert (joined.entity, joined.text, joined.lang, joined.source) == ("ACME", "Acme fell\nby a third", "zh", "w")
    assert join(question, Label(text="whole", entity="Acme")).text == "whole"
    assert joined.labels == question.labels


def test_one_text_in_five_is_held_and_never_changes_sides() -> None:
    texts = [f"text {number}" for number in range(5_000)]
    assert sum(map(in_held, texts)) / len(texts) == pytest.approx(1 / HELD_OF, abs=0.02)
    assert [in_held(f"  {text.upper()} ") for text in texts] == [in_held(text) for text in texts]
