"""Published records as bytes, the shipped schemas, and dead letters."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.errors import InternalError
from riskstream.core.reading.attribution import Shown
from riskstream.core.reading.deadletter import dead_letter
from riskstream.core.reading.telling import Telling
from riskstream.core.records import (
    Alert,
    Document,
    Evidence,
    Labels,
    Mention,
    Message,
    Passage,
    Position,
    Prediction,
    Reason,
    Rejected,
    Signal,
    SubjectRef,
)
from riskstream.core.watching.codec import Scored, decode_alert, decode_signal, encode, read_alert, read_signal, signal

SCHEMAS = Path(__file__).parents[2] / "riskstream" / "schemas"
POSITION = Position("news", 3, 10_512)
NOON = 1_773_057_600_000
ACME = Mention("ACME", "Acme Corp", "Acme", 0.83333333)
DOCUMENT = Document(
    position=POSITION,
    feed="wire",
    document_id="d-1",
    text="Acme fell\nAcme fell 瀚岳.",
    title="Acme fell",
    snippet="Acme fell 瀚岳.",
    source="wire-a",
    author="",
    kind="news",
    lang="en",
    url="https://example.com/1",
    entities=("ACME",),
    published_ms=NOON + 7,
    received_ms=NOON + 1_000,
    event_ms=NOON + 7,
    late=False,
    clamped=True,
    fingerprint="0123456789abcdef",
)
LABELS = Labels(
    ("negative", "neutral", "positive"), ("none", "watch", "material", "severe"), ("credit", "cyber"), tuple("abcde")
)
PREDICTION = Prediction(
    (0.912345, 0.07, 0.017655), (0.02, 0.1, 0.61, 0.27), (0.88, 0.31), (0.04, 0.06, 0.5, 0.3, 0.1), 0.88004
)
TELLING = Telling("reuters", 0.5, "unconfirmed", "A" * 43)
SCORED = Scored(LABELS, "finrisk@3", "sha256:12", NOON + 2_000)
SHOWN = Shown("fell 瀚岳.", ((0, 4, 1.25),), Passage(5, 13, windows=7))
SIGNAL = signal(DOCUMENT, TELLING, ACME, PREDICTION, SCORED, SHOWN)
ALERT = Alert(
    alert_id="a1",
    sequence=3,
    rule="credit-shock",
    rule_version="sha256:ab",
    subject=SubjectRef("entity", "ACME", "Acme Corp"),
    entity=SIGNAL.entity,
    state="firing",
    severity="severe",
    shape="threshold",
    reason="raised",
    value=0.93,
    limit=0.85,
    starts_at=SIGNAL.published_at,
    updated_at=SIGNAL.received_at,
    ends_at=None,
    first_seen_at=SIGNAL.published_at,
    sources=4,
    documents=9,
    stories=2,
    summary="Acme",
    labels={"desk": "credit"},
    evidence=(Evidence(SIGNAL.signal_id, "t", "Acme fell", "wire-a", "", SIGNAL.published_at, 0.93, ((0, 4, 0.41),)),),
    model="finrisk@3",
)


def message(value: bytes | None, **parts: Any) -> Message:
    return Message(POSITION, NOON, parts.get("key", b"k"), value, parts.get("headers", (("trace", b"1"),)))


def test_a_signal_says_what_the_contract_says() -> None:
    said = json.loads(encode(SIGNAL))
    assert said["signal_id"] == "news/3/10512#ACME"
    assert said["entity"] == {"id": "ACME", "name": "Acme Corp", "mention": "Acme", "relevance": 0.8333}
    assert said["revision"] is False
    times = [said[name] for name in ("published_at", "received_at", "scored_at")]
    assert times == ["2026-03-09T12:00:00.007Z", "2026-03-09T12:00:01.000Z", "2026-03-09T12:00:02.000Z"]
    assert said["sentiment"] == {"negative": 0.9123, "neutral": 0.07, "positive": 0.0177}
    assert list(said["topic"].items()) == [("c", 0.5), ("d", 0.3), ("e", 0.1)]
    assert (said["risk_score"], said["schema"]) == (0.88, 1)


def test_a_head_that_is_not_there_is_empty() -> None:
    labels = Labels(LABELS.sentiment, LABELS.severity, LABELS.risk)
    prediction = msgspec.structs.replace(PREDICTION, topic=())
    assert signal(DOCUMENT, TELLING, ACME, prediction, Scored(labels, "m@1", "", NOON)).topic == {}


@pytest.mark.parametrize("broken", [{"risk_score": float("nan")}, {"risk": (float("inf"), 0.1)}])
def test_a_prediction_that_is_not_finite_is_our_fault(broken: dict[str, Any]) -> None:
    with pytest.raises(InternalError, match="not finite"):
        signal(DOCUMENT, TELLING, ACME, msgspec.structs.replace(PREDICTION, **broken), SCORED)


def test_what_is_written_is_read_back() -> None:
    assert decode_signal(encode(SIGNAL)) == SIGNAL
    assert decode_alert(encode(ALERT)) == ALERT
    assert encode(decode_signal(encode(SIGNAL))) == encode(SIGNAL)
    added = json.dumps({**json.loads(encode(SIGNAL)), "added_later": [1], "schema": 2}).encode()
    assert decode_signal(added) == msgspec.structs.replace(SIGNAL, schema=2)


@given(st.text(st.characters(codec="utf-8")), st.floats(0, 1), st.booleans())
def test_any_signal_is_read_back(text: str, score: float, late: bool) -> None:
    one = msgspec.structs.replace(SIGNAL, title=text, snippet=text, risk_score=score, late=late, risk={text: score})
    assert decode_signal(encode(one)) == one


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.NULL_VALUE),
        (b"", Reason.MALFORMED),
        (b"\xff", Reason.MALFORMED),
        (b'{"unknown":' + b"[" * 100_000, Reason.MALFORMED),
        (b"[" * 100_000, Reason.WRONG_TYPE),
        (b"{}", Reason.WRONG_TYPE),
        (b"[]", Reason.WRONG_TYPE),
        (encode(SIGNAL).replace(b"false", b'"no"', 1), Reason.WRONG_TYPE),
    ],
)
def test_a_strangers_record_is_refused(value: bytes | None, reason: Reason) -> None:
    for read, decode in ((read_signal, decode_signal), (read_alert, decode_alert)):
        found = read(message(value))
        assert isinstance(found, Rejected)
        assert found.reason is reason, found.detail
        if value is not None:
            with pytest.raises(ValueError):
                decode(value)
    assert read_signal(message(encode(SIGNAL))) == SIGNAL
    assert read_alert(message(encode(ALERT))) == ALERT


@pytest.mark.parametrize("field", ["published_at", "received_at"])
@pytest.mark.parametrize("text", ["", "noon", "2026-02-30T00:00:00Z", "10000-01-01T00:00:00Z"])
def test_a_signal_whose_time_cannot_be_read_is_refused(field: str, text: str) -> None:
    found = read_signal(message(encode(msgspec.structs.replace(SIGNAL, **{field: text}))))
    assert isinstance(found, Rejected)
    assert (found.reason, found.detail) == (Reason.BAD_TIME, f"{field} = {text!r}")


@pytest.mark.parametrize("field", ["starts_at", "updated_at", "ends_at"])
def test_an_alert_whose_time_cannot_be_read_is_refused(field: str) -> None:
    found = read_alert(message(encode(msgspec.structs.replace(ALERT, **{field: "noon"}))))
    assert isinstance(found, Rejected)
    assert (found.reason, found.detail) == (Reason.BAD_TIME, f"{field} = 'noon'")


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def test_five_schemas_are_shipped() -> None:
    names = sorted(path.stem for path in SCHEMAS.glob("*.json"))
    assert names == ["alert", "document", "label", "rules", "signal"]
    assert [schema(name)["$id"] for name in names] == [f"urn:riskstream:schema:{name}:1" for name in names]


@pytest.mark.parametrize(("name", "record"), [("signal", Signal), ("alert", Alert)])
def test_a_schema_says_what_the_record_says(name: str, record: type[Any]) -> None:
    """The same fields in the same order, all required, and of every field the same kinds of value."""
    shipped, own = schema(name), msgspec.json.schema(record)
    own_defs = own.pop("$defs")
    pairs = [(shipped, own_defs.pop(record.__name__))]
    assert sorted(shipped["$defs"]) == sorted(own_defs)
    pairs += [(shipped["$defs"][part], own_defs[part]) for part in own_defs]
    for written, said in pairs:
        assert list(written["properties"]) == list(said["properties"]) == written["required"]
        for field, kind in said["properties"].items():
            have = written["properties"][field]
            if "enum" in kind:
                assert sorted(have["enum"]) == sorted(kind["enum"]), field
            elif "anyOf" in kind:
                assert len(have["anyOf"]) == len(kind["anyOf"]), field
            elif "type" in kind and "enum" not in have:
                assert have["type"] == kind["type"], field
            else:
                assert "enum" in have or have["$ref"] == kind["$ref"], field


@pytest.mark.parametrize(("name", "record"), [("signal", SIGNAL), ("alert", ALERT)])
def test_encoded_records_are_valid(name: str, record: Signal | Alert) -> None:
    check = jsonschema.Draft202012Validator(schema(name))
    said = json.loads(encode(record))
    check.validate(said)
    for field in said:
        assert not check.is_valid({key: value for key, value in said.items() if key != field}), field
    for field, wrong in {"schema": 0, "model": None, "published_at": "soon", "starts_at": "soon"}.items():
        if field in said:
            assert not check.is_valid({**said, field: wrong}), field


def test_a_label_is_valid() -> None:
    label = {
        "signal_id": SIGNAL.signal_id,
        "document_id": "d-1",
        "entity": "Acme",
        "text": "Acme fell",
        "lang": "en",
        "source": "wire-a",
        "labels": {"severity": 2, "risk": ["credit"], "sentiment": "negative"},
        "annotator": "ann",
        "at": SIGNAL.scored_at,
        "why": "random",
        "sampling_rate": 0.01,
        "schema": 1,
    }
    check = jsonschema.Draft202012Validator(schema("label"))
    check.validate(label)
    for field, wrong in {"why": "because", "sampling_rate": 0, "labels": {"severity": 4}, "text": ""}.items():
        assert not check.is_valid({**label, field: wrong}), field
    for least, enough in (("signal_id", True), ("text", True), ("document_id", False)):
        assert check.is_valid({"labels": {}, least: label[least]}) is enough, least
    assert not check.is_valid({"signal_id": "", "labels": {}})


REJECTED = Rejected(POSITION, Reason.EMPTY_TEXT, "text 瀚 " + "x" * 300)


def ours(headers: tuple[tuple[str, bytes], ...]) -> dict[str, str]:
    return {
        name.removeprefix("riskstream-"): value.decode() for name, value in headers if name.startswith("riskstream-")
    }


def test_a_dead_letter_is_the_original_and_why() -> None:
    value = b'{"id": 1}'
    letter = dead_letter(message(value), REJECTED, "dead")
    assert (letter.topic, letter.key, letter.value, letter.partition) == ("dead", b"k", value, None)
    assert [name for name, _ in letter.headers] == [
        *(f"riskstream-{name}" for name in ("reason", "detail", "topic", "partition", "offset", "timestamp", "bytes")),
        *("riskstream-sha256", "riskstream-truncated", "trace"),
    ]
    said = ours(letter.headers)
    assert len(said.pop("detail")) == 200
    assert said == {
        "reason": "empty_text",
        "topic": "news",
        "partition": "3",
        "offset": "10512",
        "timestamp": str(NOON),
        "bytes": "9",
        "sha256": hashlib.sha256(value).hexdigest(),
        "truncated": "false",
    }


@pytest.mark.parametrize(
    ("given_", "body", "kept", "key", "own"),
    [
        (message(b"x" * 1_000_000), True, 900_000, b"k", ["trace"]),
        (message(b"x" * 10_000_000, key=b"y" * 2_000_000), True, 900_000, None, ["trace"]),
        (message(b"x", headers=(("huge", b"y" * 2_000_000), ("small", b"1"))), True, 1, b"k", ["small"]),
        (message(b"x", headers=tuple((f"h{i}", b"y" * 20_000) for i in range(9))), True, 1, b"k", ["h0", "h1", "h2"]),
        (message(b"secret"), False, None, b"k", ["trace"]),
    ],
)
def test_a_dead_letter_fits(given_: Message, body: bool, kept: int | None, key: bytes | None, own: list[str]) -> None:
    letter = dead_letter(given_, REJECTED, "dead", body=body)
    assert (None if letter.value is None else len(letter.value)) == kept
    assert letter.key == key
    assert [name for name, _ in letter.headers if not name.startswith("riskstream-")] == own
    said = ours(letter.headers)
    assert said["truncated"] == "true"
    assert said["bytes"] == str(len(given_.value or b""))
    assert said["sha256"] == hashlib.sha256(given_.value or b"").hexdigest()
    total = len(letter.value or b"") + len(letter.key or b"") + sum(len(n) + len(v) for n, v in letter.headers)
    assert total < 1_000_000


def test_a_null_value_stays_null() -> None:
    letter = dead_letter(message(None), REJECTED, "dead")
    assert letter.value is None
    assert ours(letter.headers)["truncated"] == "false"
    assert ours(letter.headers)["bytes"] == "0"
