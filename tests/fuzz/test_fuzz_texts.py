"""Feeds, our own topics, rules and watchlists: whatever comes, a record, a rejection with its reason, or an error that
names its fix; never another exception, a hang, or more than bounded outputs."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.clock import format_ms, parse_ms
from riskstream.core.errors import OperatorError
from riskstream.core.reading.deadletter import dead_letter
from riskstream.core.reading.entities import Matcher
from riskstream.core.reading.feeds import Decoder, FeedSpec
from riskstream.core.reading.watchlist import parse_watchlist
from riskstream.core.records import (
    Alert,
    Document,
    Encoded,
    Message,
    Output,
    Partition,
    Position,
    Rejected,
    Signal,
    SubjectRef,
    Ticket,
    Watched,
)
from riskstream.core.rules.rulefile import check_files
from riskstream.core.watching import codec
from riskstream.core.watching.watch import Watch
from riskstream.scoring.plain import ConstantScorer
from riskstream.sections import Feed
from riskstream.service.pipeline import Prepared, Preparer
from riskstream.service.speaking import assemble, speak
from riskstream.telemetry.tracing import following, headers_of
from tests.fuzz.damage import ANYTHING, TIMES, altered, as_json, damaged, fuzz
from tests.service.daemons import RULES, Rig

GROUP_RULE = RULES + RULES.replace("any-news", "makers-news").replace("window_s", 'by = "group"\nwindow_s')
ROOT = Path(__file__).parents[2]
NOW = parse_ms("2026-03-09T12:00:00Z")
GOOD = {
    "id": "d-1",
    "text": "Acme Corp &amp; Bolt warn of a \u51cd\u7ed3, call +44 20 7946 0018 or mail a@b.example",
    "title": "Acme Corp",
    "source": "wire-a",
    "published_at": "2026-03-09T11:59:00Z",
    "kind": "news",
    "lang": "en",
    "url": "https://example.com/1",
    "entities": ["ACME", "Bolt"],
    "customer": {"name": "Jane Roe"},
}
FEEDS = {
    "plain": FeedSpec(name="wire", topic="wire"),
    "mapped": FeedSpec(
        name="wire", topic="wire", fields={"text": "$.body[0].content", "id": '$["the.id"]'}, market=True
    ),
    "masked": FeedSpec(name="wire", topic="wire", mask=True, mask_names=("$.customer.name",), kind="customer"),
}
WATCHED = {
    "ACME": Watched("ACME", "Acme Corp", ("Acme",), ("makers",)),
    "BOLT": Watched("BOLT", "Bolt Bank", ("Bolt", "\u95ea\u7535"), ("banks",)),
}
PREPARERS = {
    name: Preparer({"wire": Decoder(spec)}, Matcher(list(WATCHED.values())), ConstantScorer(), 8)
    for name, spec in FEEDS.items()
}
WATCHLIST = (ROOT / "config" / "watchlist.csv").read_bytes()
RULE_FILES = [
    file.read_text()
    for file in [ROOT / "config" / "rules.toml", *sorted((ROOT / "config" / "profiles").rglob("*.toml"))]
]


def message(value: bytes | None) -> Message:
    return Message(Position("wire", 0, 7), NOW, b"key", value)


def scored(name: str, value: bytes | None) -> None:
    """A message through all that the score stage does with it."""
    (prepared,) = PREPARERS[name].prepare([message(value)])
    if isinstance(prepared.document, Rejected):
        letter = dead_letter(prepared.message, prepared.document, "dead", 1_000, body=name != "masked")
        assert len(prepared.document.detail) <= 500
        assert len(letter.value or b"") <= 1_000
        return
    assert isinstance(prepared.document, Document)
    prepared.document.text.encode()
    if not prepared.mentions:
        return
    for signal in signals_of(prepared):
        assert codec.decode_signal(codec.encode(signal)) == signal
        if name == "masked":
            assert "a@b.example" not in signal.snippet + signal.title


def signals_of(prepared: Prepared) -> Sequence[Signal]:
    scorer, ticket = ConstantScorer(), Ticket(Partition("wire", 0), 1, 0)
    answers = scorer.score([Encoded(ticket, place, row) for place, row in enumerate(prepared.tokens)])
    spoken = speak(prepared, answers, scorer.per_log)
    assert not isinstance(spoken, Rejected)
    return assemble(prepared, spoken, {}, scorer, NOW)


@pytest.mark.parametrize("name", FEEDS)
@fuzz()
@given(value=damaged(st.just(as_json(GOOD))) | st.binary(max_size=200))
def test_damaged_documents(name: str, value: bytes) -> None:
    scored(name, value)


@pytest.mark.parametrize("name", FEEDS)
@fuzz()
@given(value=altered(GOOD) | ANYTHING)
def test_documents_of_other_values(name: str, value: Any) -> None:
    scored(name, as_json(value))


@fuzz()
@given(
    value=st.binary(max_size=80) | damaged(st.just(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
    state=st.binary(max_size=700) | damaged(st.just(b"desk=7,other=8")),
)
def test_headers_of_a_trace(value: bytes, state: bytes) -> None:
    found = following((("traceparent", value), ("tracestate", state)))
    if found is not None:
        again = following(headers_of(found))
        assert again is not None
        assert again.trace_id == found.trace_id


A_SIGNAL = signals_of(PREPARERS["plain"].prepare([message(as_json(GOOD))])[0])[0]
SIGNAL = codec.encode(A_SIGNAL)
ALERT = codec.encode(
    next(
        Alert(
            "a-1", 1, "r", "sha256:0", SubjectRef("entity", "ACME", "Acme"), None, "firing", "severe", "threshold",
            "fired", 0.9, 0.8, at, at, None, at, 1, 1, 1, "", {}, (), "m@1",
        )
        for at in [format_ms(NOW)]
    )
)  # fmt: skip


@st.composite
def strange(draw: st.DrawFn, good: bytes) -> bytes:
    """A record of ours that someone else wrote, its times above all."""
    value = json.loads(good)
    if draw(st.booleans()):
        return draw(damaged(st.just(good)) | altered(value).map(as_json))
    for field in draw(st.lists(st.sampled_from([name for name in value if name.endswith("_at")]), min_size=1)):
        value[field] = draw(st.sampled_from(TIMES) | st.text(max_size=30))
    return as_json(value)


HEARTBEAT = b'{"by":"source","id":"wire-a","heard_at":""}'


def rolled_up(signal: bytes) -> bytes:
    return b'{"by":"group","id":"makers","signal":' + signal + b"}"


@fuzz(share=0.02, few=2, shrink=False, seconds_max=100)
@given(
    signals=st.lists(strange(SIGNAL), min_size=20, max_size=20),
    rollups=st.lists(
        strange(SIGNAL).map(lambda v: b'{"by":"group","id":"makers","signal":' + v + b"}"), min_size=20, max_size=20
    )
    | st.lists(strange(b'{"by":"source","id":"wire-a","heard_at":""}'), min_size=20, max_size=20),
    alerts=st.lists(strange(ALERT), min_size=20, max_size=20),
)
def test_strange_records_on_our_own_topics(
    signals: list[bytes], rollups: list[bytes], alerts: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whoever may write there stops no lane: what cannot be read is a dead letter, and the next record is judged."""
    asyncio.run(judged(tmp_path_factory.mktemp("rig"), signals, rollups, alerts))


async def judged(folder: Path, signals: list[bytes], rollups: list[bytes], alerts: list[bytes]) -> None:
    rig = Rig(folder, feed=Feed(name="wire", topic="wire", start="earliest", partitions=1))
    (folder / "rules.toml").write_text(GROUP_RULE)
    async with rig.running():
        topics = rig.settings.topics
        publisher = await rig.broker.publisher()
        for topic, values in ((topics.alerts, alerts), (topics.signals, signals), (topics.rollups, rollups)):
            await publisher.send([Output(topic, b"ACME", value, (), 0) for value in values])
        await rig.settle()
        await publisher.send([Output(topics.signals, b"ACME", SIGNAL.replace(b"ACME", b"BOLT"), (), 0)])
        await rig.settle()
        assert rig.daemon.running["watch"].lanes_ready
        assert any(
            json.loads(m.value or b"{}")["subject"]["id"] == "BOLT"
            for m in (await rig.read(topics.alerts))[len(alerts) :]
        )


def told(error: OperatorError) -> None:
    """An error as the operator gets it is bounded, and has a fix."""
    assert error.fix
    assert len(str(error)) < 5_000


def rules(text: str) -> None:
    """A rule file's text, read; what is right in it can be judged by."""
    found, mistakes = check_files([("rules.toml", text)])
    for mistake in mistakes:
        told(mistake)
    if found.rules:
        engine = Watch(found, WATCHED)
        engine.on_signal(A_SIGNAL, NOW)
        engine.on_time(NOW + 86_400_000)


@fuzz()
@given(text=damaged(st.sampled_from(RULE_FILES).map(str.encode)).map(lambda data: data.decode(errors="replace")))
def test_damaged_rules(text: str) -> None:
    rules(text)


@fuzz()
@given(
    found=st.sampled_from([json.loads(json.dumps(tomllib.loads(text), default=str)) for text in RULE_FILES]).flatmap(
        altered
    )
)
def test_rules_of_other_values(found: Any) -> None:
    try:
        text = tomli_w.dumps(found)
    except (TypeError, ValueError, AttributeError):
        return  # TOML has no such value
    rules(text)


@fuzz()
@given(
    text=(damaged(st.just(WATCHLIST)) | st.binary(max_size=300)).map(lambda data: data.decode(errors="replace"))
    | st.text(max_size=200)
)
def test_watchlists(text: str) -> None:
    try:
        watched = parse_watchlist(text, "watchlist.csv")
    except OperatorError as error:
        told(error)
        return
    assert watched
    matcher = Matcher(list(watched))
    assert len(matcher.find(" ".join(one.name for one in watched[:50]), (), 8).mentions) <= 8
