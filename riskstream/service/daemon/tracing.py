"""Traces: one from a document over its signals to the alert that they make. Off unless `tracing.endpoint` is set.

    feed record ─► score ──traceparent──► signal ─► watch ──traceparent──► alert record ─► sink
                     └ model (its batch)              └ alert <rule>, linked to the other evidence
                                                      └─traceparent─► rollup ─► rollups ─► alert

Rule 1. Tracing stands around a processor and is no part of it: where it is off, nothing on the way of a record looks.
Rule 2. A record has a span of its own, from being taken to being committed; a batch has none, since it has many
        parents. What a batch took is a child of each of its records (decision 13).
Rule 3. Only the first stage begins traces; the others follow what their record says, so none begins in the middle.
Rule 4. An alert belongs to the trace of the record that made it, or else to that of its foremost evidence; the other
        evidence that is still known here is linked.

One honest doubt: which signals were traced is remembered for the last 10,000 of them and not over a restart.
An alert that a clock opens later than that has no trace, or fewer links.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from riskstream.concealed import read_secret
from riskstream.core.errors import InternalError, OperatorError
from riskstream.core.ports import Scorer
from riskstream.core.records import Encoded
from riskstream.scoring.worker import Scored, Worker
from riskstream.sections.tracing import Tracing as Section
from riskstream.service.daemon.trails import Open, Traced, Where
from riskstream.service.stages.lanes import Processor
from riskstream.settings import Settings
from riskstream.telemetry.tracing import INSIDE, Collector, Tracing, exporting


class Traces:
    """What a daemon traces with."""

    def __init__(self, settings: Settings, tracing: Tracing) -> None:
        self._settings, self._tracing = settings, tracing
        self._scoring: Open = {}

    def worker(self, scorer: Scorer) -> Worker:
        """The model's worker, which adds what a batch took to the spans of its records."""
        return _Worker(scorer, self._tracing, self._scoring)

    def around(self, stage: str, processor: Processor) -> Processor:
        """This processor, with a span for each record that is traced."""
        topics = self._settings.topics
        carry = frozenset({topics.signals, topics.reviews, topics.dead_letters, topics.rollups})
        where = Where(stage, f"{self._settings.app}.{stage}", stage == "score", carry, topics.alerts)
        return Traced(processor, self._tracing, where, self._scoring if stage == "score" else {})

    async def close(self) -> None:
        """Send what is recorded."""
        await self._tracing.close()


class _Worker(Worker):
    """A worker that tells each record which is traced what its batch took."""

    def __init__(self, scorer: Scorer, tracing: Tracing, open_: Open) -> None:
        super().__init__(scorer)
        self._tracing, self._open = tracing, open_

    async def score(self, items: Sequence[Encoded], scorer: Scorer | None = None) -> Scored:
        """As it is; the span of a batch lies from its turn being asked for to its answer."""
        asked_ns = time.time_ns()
        try:
            scored = await super().score(items, scorer)
        except InternalError as error:
            self._tell(items, asked_ns, {"error.type": type(error).__name__})
            raise
        self._tell(items, asked_ns, {"riskstream.inference_s": scored.seconds})
        return scored

    def _tell(self, items: Sequence[Encoded], asked_ns: int, took: dict[str, str | float]) -> None:
        if not self._open:
            return
        size = {"riskstream.batch.texts": len(items), "riskstream.batch.tokens": sum(len(one.tokens) for one in items)}
        for ticket in {item.ticket for item in items}:
            trail = self._open.get(ticket)
            if trail is not None and trail.span is not None:
                attributes = {"riskstream.model": self.scorer.name, **size, **took}
                context = trail.span.get_span_context()
                span = self._tracing.begin("model", INSIDE, context, attributes, start_ns=asked_ns)
                if span is not None:
                    span.end()


def make(settings: Settings) -> Traces:
    """As `[tracing]` says. Raises OperatorError for headers that cannot be read."""
    section = settings.tracing
    return Traces(settings, Tracing(settings.app, section.sample_ratio, exporting(collector(section))))


def collector(section: Section) -> Collector:
    """Where spans go. Raises as above."""
    headers = _headers(read_secret("tracing.headers_file", section.headers_file) or "")
    return Collector(section.endpoint, headers, section.timeout_ms / 1000, section.queue_max)


def _headers(text: str) -> dict[str, str]:
    """Headers of a secret's file; what is wrong is told by its line, without its content."""
    headers = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, _, value = (part.strip() for part in line.partition(":"))
        if not (value and line.isascii() and line.isprintable() and name.replace("-", "").isalnum()):
            problem = "is not `name: value`"
            raise OperatorError("tracing.headers_file", f"line {number}", problem, "write one header a line")
        headers[name.lower()] = value
    return headers
