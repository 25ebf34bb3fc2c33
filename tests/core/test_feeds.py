"""What a feed's message becomes: a document, or a reason. The bad inputs are files named for what is wrong."""

import json
import string
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskstream.core.errors import OperatorError
from riskstream.core.reading.feeds import Decoder, FeedSpec
from riskstream.core.reading.telling import tellings
from riskstream.core.records import Document, Labels, Mention, Message, Position, Prediction, Reason, Rejected
from riskstream.core.watching.codec import Scored, encode, signal

FEED = Path(__file__).parents[1] / "testdata" / "feed"
SCHEMA = Path(__file__).parents[2] / "riskstream" / "schemas" / "document.json"
NOON = 1_773_057_600_000  # 2026-03-09T12:00:00Z
HOUR = 3_600_000
SPEC = FeedSpec(name="wire", topic="news")
MAPPED = FeedSpec(
    name="mapped",
    topic="news",
    fields={
        "id": "$.doc.uid",
        "text": "$.body.content[1]",
        "source": '$["feed.name"]',
        "published_at": "$.doc.when",
        "entities": "$.tickers",
    },
)

BAD = {
    Reason.MALFORMED: "empty broken-json trailing-characters invalid-utf-8 utf-16 raw-control-character deeply-nested "
    "number-of-five-thousand-digits",
    Reason.NOT_AN_OBJECT: "array string null number",
    Reason.MISSING_FIELD: "missing-id missing-text missing-source missing-published-at null-text blank-id empty-source",
    Reason.WRONG_TYPE: "text-is-a-number text-is-an-array title-is-an-object id-is-true id-is-a-fraction "
    "kind-is-a-number url-is-an-array entities-holds-a-number entities-is-an-object entities-is-true "
    "published-at-is-an-array published-at-is-true",
    Reason.EMPTY_TEXT: "empty-text blank-text",
    Reason.BAD_CHARACTERS: "nul-in-text nul-in-id lone-surrogate lone-surrogate-at-the-end lone-surrogate-as-utf-8",
    Reason.BAD_TIME: "year-9999 year-10000 year-0001 year-9999-in-milliseconds negative-time nan-time infinite-time "
    "huge-time time-in-seconds time-in-seconds-as-text time-is-words time-is-empty time-of-day-impossible",
    Reason.TOO_LARGE: "long-id",
}
CASES = [(reason, name) for reason, names in BAD.items() for name in names.split()]


def message(value: bytes | None, timestamp_ms: int = NOON) -> Message:
    return Message(Position("news", 3, 10_512), timestamp_ms, b"key", value)


def decode(spec: FeedSpec = SPEC, timestamp_ms: int = NOON, **fields: object) -> Document | Rejected:
    base = {"id": "d-1", "text": "Acme fell.", "source": "wire-a", "published_at": "2026-03-09T11:59:00Z"}
    return Decoder(spec).decode(message(json.dumps({**base, **fields}).encode(), timestamp_ms))


def document(spec: FeedSpec = SPEC, timestamp_ms: int = NOON, **fields: object) -> Document:
    found = decode(spec, timestamp_ms, **fields)
    assert isinstance(found, Document), found
    return found


def test_every_bad_file_has_its_reason() -> None:
    names = sorted(path.name for path in FEED.glob("bad.*.json"))
    assert len(names) == 52
    assert names == sorted(f"bad.{name}.json" for _, name in CASES)


@pytest.mark.parametrize(("reason", "name"), CASES)
def test_a_bad_file_is_refused(reason: Reason, name: str) -> None:
    found = Decoder(SPEC).decode(message((FEED / f"bad.{name}.json").read_bytes()))
    assert isinstance(found, Rejected), found
    assert found.reason is reason, found.detail
    assert found.position == Position("news", 3, 10_512)
    assert 0 < len(found.detail) <= 200
    assert "Acme" not in found.detail


def test_a_good_file_is_a_document() -> None:
    good = {
        "good.json": ("d-1", "Acme cuts outlook\nAcme Corp lowered its forecast for the year.", "en", "news"),
        "good.minimal.json": ("1", "Acme fell.", "en", "news"),
        "good.html-and-full-width.json": ("d-1", "Acme & Sons: profit < loss again", "en", "news"),
        "good.duplicate-keys.json": ("d-3", "Acme fell.", "en", "news"),
        "good.byte-order-mark.json": (
            "d-1",
            "Acme cuts outlook\nAcme Corp lowered its forecast for the year.",
            "en",
            "news",
        ),
        "good.huge-number-elsewhere.json": (
            "d-1",
            "Acme cuts outlook\nAcme Corp lowered its forecast for the year.",
            "en",
            "news",
        ),
        "good.unknown-kind-and-lang.json": (
            "d-1",
            "Acme cuts outlook\nAcme Corp lowered its forecast for the year.",
            "en",
            "news",
        ),
        "good.field-map.json": ("d-2", "Acme fell.", "en", "news"),
    }
    assert sorted(path.name for path in FEED.glob("good*")) == sorted(good)
    for name, expected in good.items():
        spec = MAPPED if "map" in name else SPEC
        found = Decoder(spec).decode(message((FEED / name).read_bytes()))
        assert isinstance(found, Document), (name, found)
        assert (found.document_id, found.text, found.lang, found.kind) == expected


def test_a_null_value_and_a_ten_megabyte_body_are_refused() -> None:
    missing = Decoder(SPEC).decode(message(None))
    assert isinstance(missing, Rejected)
    assert missing.reason is Reason.NULL_VALUE
    large = decode(text="x" * 10_000_000)
    assert isinstance(large, Rejected)
    assert large.reason is Reason.TOO_LARGE
    assert "10000" in large.detail
    allowed = document(FeedSpec(name="wide", topic="n", bytes_max=20_000_000), text="x" * 10_000_000)
    assert len(allowed.text) == 10_000_000
    assert len(allowed.snippet) <= 280


def test_a_detail_names_the_producers_own_field() -> None:
    found = Decoder(MAPPED).decode(message(b'{"doc": {"uid": "d-2", "when": "soon"}, "body": {"content": ["a", 5]}}'))
    assert isinstance(found, Rejected)
    assert found.detail == "text ($.body.content[1]) is 5, not a string"


@pytest.mark.parametrize(
    ("published", "arrival_ms", "event_ms", "late", "clamped"),
    [
        ("2026-03-09T12:00:00Z", NOON, NOON, False, False),
        ("2026-03-09T12:00:00", NOON, NOON, False, False),
        ("2026-03-09T13:00:00+01:00", NOON, NOON, False, False),
        ("2026-03-09T12:00:00.250Z", NOON, NOON + 250, False, False),
        (NOON, NOON, NOON, False, False),
        (NOON + 0.75, NOON, NOON, False, False),
        (str(NOON), NOON, NOON, False, False),
        (NOON + 300_000, NOON, NOON + 300_000, False, False),
        (NOON + 300_001, NOON, NOON, False, True),
        (NOON - 24 * HOUR, NOON, NOON - 24 * HOUR, False, False),
        (NOON - 24 * HOUR - 1, NOON, NOON - 24 * HOUR - 1, True, False),
        ("2026-03-08", NOON, NOON - 36 * HOUR, True, False),
        (NOON, -1, NOON, False, False),
        (NOON, 10**17, NOON, False, False),
    ],
)
def test_times(published: object, arrival_ms: int, event_ms: int, late: bool, clamped: bool) -> None:
    found = document(timestamp_ms=arrival_ms, published_at=published)
    assert (found.event_ms, found.late, found.clamped) == (event_ms, late, clamped)
    assert found.received_ms == (arrival_ms if 0 < arrival_ms < 10**14 else NOON)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"title": "", "kind": "social", "lang": "en", "url": "", "entities": ()}),
        ({"title": None, "kind": None, "lang": None, "url": None, "entities": None}, {"title": "", "entities": ()}),
        ({"title": "Acme  &amp;\nSons"}, {"title": "Acme & Sons", "text": "Acme  &\nSons\nAcme fell."}),
        ({"title": "Acme"}, {"title": "Acme", "text": "Acme fell."}),
        ({"kind": "Filing"}, {"kind": "filing"}),
        ({"kind": "rumour"}, {"kind": "social"}),
        ({"lang": "zh-CN"}, {"lang": "zh"}),
        ({"lang": "EN_us"}, {"lang": "en"}),
        ({"text": "瀚岳置地违约"}, {"lang": "zh", "text": "瀚岳置地违约"}),
        ({"url": "https://x/" + "y" * 3_000}, {"url": ""}),
        ({"url": " HTTPS://example.com/a "}, {"url": "HTTPS://example.com/a"}),
        ({"url": "javascript:fetch('https://x/')"}, {"url": ""}),
        ({"url": "data:text/html,x"}, {"url": ""}),
        ({"entities": "ACME"}, {"entities": ("ACME",)}),
        ({"author": " @ann "}, {"author": "@ann"}),
        ({"author": None}, {"author": ""}),
        ({"entities": ["ACME", " ", "ACME", "Bolt "]}, {"entities": ("ACME", "Bolt")}),
        ({"id": 7, "source": 9}, {"document_id": "7", "source": "9"}),
    ],
)
def test_optional_fields(fields: dict[str, Any], expected: dict[str, object]) -> None:
    found = document(FeedSpec(name="chirps", topic="social", kind="social"), **fields)
    assert {name: getattr(found, name) for name in expected} == expected


def test_a_feed_that_is_one_source_says_so_once() -> None:
    spec = FeedSpec(name="sec", topic="filings", source="sec.gov", lang="fr")
    assert document(spec, source=None).source == "sec.gov"
    assert document(spec, source="other").source == "other"
    assert document(spec).lang == "fr"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"text": "body.content"}, "does not begin with"),
        ({"text": "$"}, "cannot read ''"),
        ({"text": "$.a..b"}, "cannot read '..b'"),
        ({"text": "$.a[x]"}, "cannot read '[x]'"),
        ({"text": "$.a b"}, "cannot read ' b'"),
        ({"headline": "$.a"}, "no such field"),
    ],
)
def test_a_wrong_field_map_is_the_operators(fields: dict[str, str], says: str) -> None:
    with pytest.raises(OperatorError, match="Fix: ") as caught:
        Decoder(FeedSpec(name="wire", topic="news", fields=fields))
    assert says in str(caught.value)
    assert "wire" in str(caught.value)
    with pytest.raises(OperatorError, match="news, social"):
        Decoder(FeedSpec(name="wire", topic="news", kind="blog"))


def test_the_schema_takes_what_the_decoder_takes() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    check = jsonschema.Draft202012Validator(schema)
    check.check_schema(schema)
    for name in ("good.json", "good.minimal.json", "good.html-and-full-width.json", "good.unknown-kind-and-lang.json"):
        check.validate(json.loads((FEED / name).read_bytes()))
    for name in BAD[Reason.WRONG_TYPE].split() + BAD[Reason.NOT_AN_OBJECT].split():
        assert not check.is_valid(json.loads((FEED / f"bad.{name}.json").read_bytes())), name


@given(st.binary(max_size=200))
def test_no_bytes_raise(value: bytes) -> None:
    assert isinstance(Decoder(SPEC).decode(message(value)), Rejected)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TIMES = st.text(string.digits + "-:TZ+.", max_size=30) | st.integers() | st.floats() | st.datetimes().map(str)
BODIES = st.text(max_size=80) | st.text("&#x;0123456789ampltgABC \u0301", max_size=40)
OBJECTS = st.fixed_dictionaries(
    {"id": BODIES | ANYTHING, "text": BODIES | ANYTHING, "source": BODIES, "published_at": TIMES | ANYTHING},
    optional={"title": BODIES, "kind": ANYTHING, "lang": BODIES, "url": ANYTHING, "entities": ANYTHING},
)


@settings(max_examples=300)
@given(ANYTHING | OBJECTS, st.integers(-(2**63), 2**63 - 1))
def test_no_json_raises_and_every_document_can_be_published(value: object, timestamp_ms: int) -> None:
    found = Decoder(SPEC).decode(message(json.dumps(value).encode(), timestamp_ms))
    if isinstance(found, Rejected):
        assert found.detail.encode()
        return
    labels = Labels(("a",), ("b",), ("c",))
    told, scored = tellings([found], [SPEC])[0], Scored(labels, "m@1", "", NOON)
    made = signal(found, told, Mention("A", "A", "A", 1.0), Prediction((1.0,), (1.0,), (1.0,), (), 0.5), scored)
    assert encode(made)
    assert found.event_ms <= max(found.received_ms + 300_000, found.published_ms)
