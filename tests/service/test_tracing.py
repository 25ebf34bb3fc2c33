"""Traces: one from a document over its signals to the alert, by the spans that come out and the headers written."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp.web
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from riskstream.core.clock import format_ms
from riskstream.core.errors import OperatorError
from riskstream.core.records import Message, Output, Partition
from riskstream.kafka.client import KafkaBroker
from riskstream.sections import Feed
from riskstream.sections.kafka import Kafka, Topics
from riskstream.sections.tracing import Tracing as Section
from riskstream.service import parts
from riskstream.service.daemon import tracing
from riskstream.service.daemon.app import wall_ms
from riskstream.settings import Settings
from riskstream.telemetry.tracing import Collector, Tracing, exporting, following
from tests.service.daemons import RULES, Rig
from tests.service.test_daemon import document
from tests.support.brokers import fresh, publish, read_all
from tests.support.until import until

if TYPE_CHECKING:
    from dev.kafka.serve import KafkaServer

FEED = Feed(name="wire", topic="wire", start="earliest", partitions=1)
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GROUP_RULE = RULES + RULES.replace("any-news", "makers-news").replace("window_s", 'by = "group"\nwindow_s')


class Spans:
    """What a daemon recorded, in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.processor = SimpleSpanProcessor(self._exporter)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def parents(self) -> set[tuple[str, str]]:
        """(a span's name, its parent's name or id) of every span."""
        spans = self._exporter.get_finished_spans()
        names = {span.context.span_id: span.name for span in spans if span.context}
        above = [(span.name, span.parent.span_id if span.parent else 0) for span in spans]
        return {(name, names.get(parent) or format_span_id(parent)) for name, parent in above}

    def traces(self) -> set[int]:
        return {span.context.trace_id for span in self._exporter.get_finished_spans() if span.context}


def traceparent(messages: Sequence[Message]) -> list[str]:
    return [value.decode() for message in messages for name, value in message.headers if name == "traceparent"]


def header_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"00-{format_trace_id(span.context.trace_id)}-{format_span_id(span.context.span_id)}"


def ids(messages: Sequence[Message]) -> list[str]:
    """Their headers without the flags."""
    return [header[:-3] for header in traceparent(messages)]


async def test_a_document_its_signal_and_its_alert_are_one_trace(tmp_path: Path) -> None:
    spans = Spans()
    async with Rig(tmp_path, feed=FEED, traced_by=spans.processor).running() as rig:
        await rig.send(document(1))
        signals, alerts = await rig.read("riskstream.signals"), await rig.read("riskstream.alerts")
        state = await rig.read("riskstream.state")
    assert spans.parents() == {
        ("score wire", format_span_id(0)),
        ("model", "score wire"),
        ("watch riskstream.signals", "score wire"),
        ("alert any-news", "watch riskstream.signals"),
    }
    assert len(spans.traces()) == 1
    assert ids(signals) == [header_of(spans.one("score wire"))]
    assert ids(alerts) == [header_of(spans.one("alert any-news"))]
    assert traceparent(state) == []
    told = dict(spans.one("score wire").attributes or {})
    assert told["messaging.kafka.offset"] == 0
    assert (told["riskstream.outcome"], told["riskstream.signals"]) == ("scored", 1)
    assert "Acme" not in str([span.to_json() for name in ("score wire", "model") for span in spans.named(name)])


@pytest.mark.parametrize(("flags", "recorded"), [("01", True), ("00", False)])
async def test_a_document_with_a_trace_of_its_own_follows_it(tmp_path: Path, flags: str, recorded: bool) -> None:
    spans = Spans()
    own = (("traceparent", f"00-{TRACE}-{PARENT}-{flags}".encode()), ("tracestate", b"desk=7"))
    async with Rig(tmp_path, feed=FEED, traced_by=spans.processor).running() as rig:
        await rig.send(document(1), headers=own)
        signals, alerts = await rig.read("riskstream.signals"), await rig.read("riskstream.alerts")
    assert spans.traces() == ({int(TRACE, 16)} if recorded else set())
    assert (("score wire", PARENT) in spans.parents()) is recorded
    for messages in (signals, alerts):
        assert [header[: len(TRACE) + 3] for header in traceparent(messages)] == [f"00-{TRACE}"]
        assert ("tracestate", b"desk=7") in messages[0].headers
    if not recorded:
        assert traceparent(signals) == [own[0][1].decode()]


async def test_an_alert_is_linked_to_the_other_evidence(tmp_path: Path) -> None:
    spans = Spans()
    async with Rig(tmp_path, feed=FEED, traced_by=spans.processor).running() as rig:
        await rig.send(document(1))
        await rig.send(document(2, "Acme warns of a lawsuit over its brakes", source="t"))
    first, second = spans.named("watch riskstream.signals")
    _, told_again = spans.named("alert any-news")
    assert first.context is not None
    assert told_again.parent == second.context
    assert [link.context.span_id for link in told_again.links] == [first.context.span_id]
    assert len(spans.traces()) == 2


async def test_a_rule_about_a_group_is_in_the_trace_of_its_member(tmp_path: Path) -> None:
    spans = Spans()
    rig = Rig(tmp_path, feed=FEED, traced_by=spans.processor)
    (tmp_path / "rules.toml").write_text(GROUP_RULE)
    async with rig.running():
        await rig.send(document(1))
    assert len(spans.traces()) == 1
    assert {
        ("rollups riskstream.rollups", "watch riskstream.signals"),
        ("alert makers-news", "rollups riskstream.rollups"),
    } <= spans.parents()


@pytest.mark.parametrize("value", [b'{"\xff": 1}', b'{"a": ' + b"[" * 5_000, b"", b"{}"])
async def test_a_strange_record_with_a_trace_is_a_dead_letter_in_it(tmp_path: Path, value: bytes) -> None:
    spans = Spans()
    own = (("traceparent", f"00-{TRACE}-{PARENT}-01".encode()),)
    async with Rig(tmp_path, feed=FEED, traced_by=spans.processor).running() as rig:
        await publish(rig.broker, Output("riskstream.signals", b"ACME", value, own))
        await rig.settle()
        (letter,) = await rig.read("riskstream.dead-letters")
    span = spans.one("watch riskstream.signals")
    assert (span.status.is_ok, ids([letter])) == (False, [header_of(span)])


async def test_a_rejected_document_says_why_and_its_dead_letter_is_in_its_trace(tmp_path: Path) -> None:
    spans = Spans()
    own = (("traceparent", f"00-{TRACE}-{PARENT}-01".encode()), ("desk", b"7"))
    async with Rig(tmp_path, feed=FEED, traced_by=spans.processor).running() as rig:
        await rig.send(b"{", headers=own)
        (letter,) = await rig.read("riskstream.dead-letters")
    span = spans.one("score wire")
    assert (span.status.is_ok, span.status.description) == (False, "malformed")
    assert ids([letter]) == [header_of(span)]
    assert ("desk", b"7") in letter.headers


async def test_what_a_lost_lane_had_taken_fails_and_comes_again_in_the_same_trace(tmp_path: Path) -> None:
    spans = Spans()
    own = (("traceparent", f"00-{TRACE}-{PARENT}-01".encode()),)
    async with Rig(tmp_path, feed=FEED, traced_by=spans.processor).running() as rig:
        await rig.send(b"{", headers=())
        rig.broker.fail_commits(Partition("wire", 0))
        await rig.send(document(1), headers=own)
    spans_of_it = [span for span in spans.named("score wire") if span.parent]
    assert [span.status.is_ok for span in spans_of_it] == [False, True]
    assert {span.context.trace_id for span in spans_of_it if span.context} == {int(TRACE, 16)}


async def test_the_line_of_an_alert_names_its_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spans = Spans()
    with caplog.at_level("INFO", logger="riskstream"):
        async with Rig(tmp_path, feed=FEED, traced_by=spans.processor).running() as rig:
            await rig.send(document(1))
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    (line,) = [line for line in lines if line["event"] == "alert published"]
    context = spans.one("alert any-news").context
    assert context is not None
    assert (line["trace_id"], line["span_id"]) == (format_trace_id(context.trace_id), format_span_id(context.span_id))
    assert not any("trace_id" in line for line in lines if line["event"] != "alert published")


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("traceparent", b""),),
        (("traceparent", b"\xff\x00"),),
        (("traceparent", f"00-{'0' * 32}-{PARENT}-01".encode()),),
        (("traceparent", f"ff-{TRACE}-{PARENT}-01".encode()),),
        (("traceparent", f"00-{TRACE}-{PARENT}-01-more".encode()),),
        (("tracestate", b"desk=7"),),
    ],
    ids=["none", "empty", "bytes", "zeros", "version", "tail", "state-alone"],
)
def test_a_trace_that_cannot_be_read_is_none(headers: tuple[tuple[str, bytes], ...]) -> None:
    assert following(headers) is None


def test_a_state_that_is_too_long_is_left_out_and_the_trace_kept() -> None:
    found = following((("traceparent", f"00-{TRACE}-{PARENT}-01".encode()), ("tracestate", b"a=" + b"b" * 600)))
    assert found is not None
    assert (format_trace_id(found.trace_id), found.trace_state) == (TRACE, {})


def test_where_nothing_is_traced_its_libraries_are_not_even_imported() -> None:
    code = (
        "import sys; from riskstream.service.daemon.app import Daemon; from riskstream.settings import Settings;"
        "from riskstream.telemetry import Metrics, Telemetry; d = Daemon(Settings(), Telemetry(Metrics()));"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules) or d._traces is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


async def test_spans_reach_a_collector_with_its_headers(tmp_path: Path) -> None:
    got: list[tuple[str | None, bytes]] = []

    async def take(request: aiohttp.web.Request) -> aiohttp.web.Response:
        got.append((request.headers.get("x-api-key"), await request.read()))
        return aiohttp.web.Response()

    app = aiohttp.web.Application()
    app.router.add_post("/v1/traces", take)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    (tmp_path / "headers").write_text("X-Api-Key: a:b c\n")
    section = Section(
        endpoint=f"http://127.0.0.1:{port}/v1/traces", headers_file=tmp_path / "headers", sample_ratio=1.0
    )
    traces = tracing.make(Settings(tracing=section))
    try:
        rig = Rig(tmp_path, feed=FEED, tracing=section)
        async with rig.running():
            await rig.send(document(1))
        await traces.close()
    finally:
        await runner.cleanup()
    assert {key for key, _ in got} == {"a:b c"}
    requests = [ExportTraceServiceRequest.FromString(body) for _, body in got]
    resources = [one for request in requests for one in request.resource_spans]
    names = {span.name for one in resources for scope in one.scope_spans for span in scope.spans}
    assert names == {"score wire", "model", "watch riskstream.signals", "alert any-news"}
    told = {attribute.key: attribute.value.string_value for attribute in resources[0].resource.attributes}
    assert told["service.name"] == "riskstream"


async def test_a_collector_that_is_away_delays_nothing(tmp_path: Path) -> None:
    section = Section(endpoint="http://127.0.0.1:9/v1/traces", sample_ratio=1.0, timeout_ms=300)
    async with asyncio.timeout(20), Rig(tmp_path, feed=FEED, tracing=section).running() as rig:
        await rig.send(document(1))
        assert len(await rig.read("riskstream.signals")) == 1


async def test_spans_beyond_the_queue_are_dropped_and_not_kept() -> None:
    collector = Collector("http://127.0.0.1:9/v1/traces", {}, timeout_s=0.1, queue_max=10)
    processor = exporting(collector)
    traced = Tracing("desk", 1.0, processor)
    for _ in range(200):
        span = traced.begin("x", tracing.INSIDE, None, {})
        assert span is not None
        span.end()
    assert len(processor._batch_processor._queue) <= 10  # type: ignore[attr-defined]
    await traced.close()


@pytest.mark.parametrize("text", ["secret-token", "name:", ": value", "na me: v", "näme: v", "a: b\nsecret"])
def test_headers_that_are_none_are_told_by_their_line_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "headers").write_text(text)
    section = Section(endpoint="http://127.0.0.1:9/", headers_file=tmp_path / "headers")
    with pytest.raises(OperatorError) as error:
        tracing.make(Settings(tracing=section))
    assert "tracing.headers_file" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.broker
async def test_a_trace_goes_through_a_real_broker(tmp_path: Path, kafka_server: KafkaServer) -> None:
    spans, app = Spans(), fresh("app")
    names = ("signals", "alerts", "state", "rollups", "rollups_state", "dead_letters", "reviews", "labels")
    rig = Rig(
        tmp_path,
        feed=FEED.model_copy(update={"topic": f"{app}.wire"}),
        traced_by=spans.processor,
        kafka=Kafka(bootstrap_servers=kafka_server.bootstrap_servers),
        topics=Topics(**{name: f"{app}.{name}" for name in names}, partitions=1, replication=1),
        app=app,
    )
    real = KafkaBroker(parts.kafka_config(rig.settings.kafka, app))
    rig.daemon._broker, rig.daemon._now_ms = real, wall_ms
    await real.create_topics(parts.topics_of(rig.settings))
    stop = asyncio.Event()
    running = asyncio.create_task(rig.daemon.run(stop))
    try:
        published_at = format_ms(wall_ms())
        own = (("traceparent", f"00-{TRACE}-{PARENT}-01".encode()),)
        await publish(real, Output(f"{app}.wire", None, document(1, published_at=published_at), own))
        (alert,) = await read_all(real, f"{app}.alerts", 1)
        await until(lambda: bool(spans.named("alert any-news")))
    finally:
        stop.set()
        await asyncio.wait_for(running, 30)
        await real.close()
    assert ids([alert]) == [header_of(spans.one("alert any-news"))]
    assert spans.traces() == {int(TRACE, 16)}
    assert (f"score {app}.wire", PARENT) in spans.parents()
