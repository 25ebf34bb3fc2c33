"""Spans, over OpenTelemetry: what happened to one record, from and into the header `traceparent`.

    a record's headers ─► following ─► a parent ─┐
                                                 ├─► Tracing.begin ─► Span, or None where this one is not recorded
                                       links ────┘
    Span ─► headers_of ─► what its results carry          Tracing.close ─► what is recorded goes out, within seconds

Rule 1. A record that comes with a trace follows its sampling; one without is recorded at the ratio.
Rule 2. Nothing here waits for the collector: spans go into a bounded queue and are sent by a thread of their own; when
        it is full they are dropped, and the library says so once.
Rule 3. No attribute holds a document's text.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from riskstream import __version__
from riskstream.core.records import Headers

__all__ = ["Collector", "Span", "SpanContext", "Tracing", "exporting", "fail", "following", "headers_of", "ids_of"]

CLOSE_S_MAX = 5.0
SEND_EVERY_S, SPANS_A_REQUEST_MAX = 2.0, 512
STATE_CHARS_MAX = 512
"""Of `tracestate`, as the standard asks to be passed on; a longer one is left out."""
PARENT, STATE = "traceparent", "tracestate"
_W3C = TraceContextTextMapPropagator()

Attributes = Mapping[str, AttributeValue]
TAKEN, SENT, INSIDE = SpanKind.CONSUMER, SpanKind.PRODUCER, SpanKind.INTERNAL


class Collector(msgspec.Struct, frozen=True):
    """Where spans go: an address of OTLP over HTTP, what authorises us there, and how much may wait."""

    endpoint: str
    headers: Mapping[str, str]
    timeout_s: float
    queue_max: int

    def __repr__(self) -> str:
        return f"Collector(timeout_s={self.timeout_s!r}, queue_max={self.queue_max!r}, …)"


class Tracing:
    """Begins spans. `app` is the name of the service in them."""

    def __init__(self, app: str, ratio: float, processor: SpanProcessor) -> None:
        resource = Resource.create({"service.name": app, "service.version": __version__})
        sampler = ParentBased(TraceIdRatioBased(ratio))
        self._provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("riskstream", __version__)

    def begin(
        self,
        name: str,
        kind: SpanKind,
        parent: SpanContext | None,
        attributes: Attributes,
        links: Sequence[SpanContext] = (),
        *,
        start_ns: int | None = None,
    ) -> Span | None:
        """A span that is being recorded; None where it is not sampled."""
        context = Context()
        if parent is not None:
            context = trace.set_span_in_context(trace.NonRecordingSpan(parent), context)
        span = self._tracer.start_span(name, context, kind, attributes, [Link(one) for one in links], start_ns)
        return span if span.is_recording() else None

    async def close(self) -> None:
        """Send what is recorded. A collector that does not answer holds nobody up for longer than `CLOSE_S_MAX`."""
        ending = threading.Thread(target=self._provider.shutdown, name="riskstream-tracing", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, CLOSE_S_MAX)


def exporting(collector: Collector) -> SpanProcessor:
    """What sends spans to a collector, in groups."""
    exporter = OTLPSpanExporter(
        endpoint=collector.endpoint,
        headers=dict(collector.headers),
        timeout=collector.timeout_s,
        compression=Compression.Gzip,
    )
    return BatchSpanProcessor(
        exporter,
        max_queue_size=collector.queue_max,
        max_export_batch_size=min(SPANS_A_REQUEST_MAX, collector.queue_max),
        schedule_delay_millis=1000 * SEND_EVERY_S,
        export_timeout_millis=1000 * collector.timeout_s,
    )


def following(headers: Headers) -> SpanContext | None:
    """The trace that a record came with; None where it has none, or one that cannot be read."""
    carrier = {name: value.decode("latin-1") for name, value in headers if name in (PARENT, STATE)}
    if PARENT not in carrier:
        return None
    if len(carrier.get(STATE, "")) > STATE_CHARS_MAX:
        del carrier[STATE]
    found = trace.get_current_span(_W3C.extract(carrier, Context())).get_span_context()
    return found if found.is_valid else None


def fail(span: Span, why: str) -> None:
    """What the span tells of came to nothing."""
    span.set_status(Status(StatusCode.ERROR, why))


def headers_of(context: SpanContext) -> Headers:
    """What a record carries that came of this span."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(trace.NonRecordingSpan(context), Context()))
    return tuple((name, value.encode("latin-1")) for name, value in carrier.items())


def ids_of(context: SpanContext) -> Mapping[str, str]:
    """The ids as a line names them."""
    return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}
