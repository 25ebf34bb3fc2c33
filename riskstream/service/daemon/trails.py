"""The way of one record through a stage, as spans around its processor.

    accept ─► begin, or follow `traceparent` ─► (the processor) ─► answered: its outputs carry the context
                                                                       └─► alert <rule>, linked to other evidence
    committed ─► end          closed ─► end, as failed: it comes again to the next owner

The rules are in `tracing.py`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from riskstream.core.ports import Ends, Partitions
from riskstream.core.records import Alert, Headers, Message, Output, Partition, Rejected, Ticket
from riskstream.service.stages.facts import Fact
from riskstream.service.stages.lanes import Done, Finish, Processor, Restored
from riskstream.telemetry.logs import naming
from riskstream.telemetry.tracing import (
    PARENT,
    SENT,
    STATE,
    TAKEN,
    Span,
    SpanContext,
    Tracing,
    fail,
    following,
    headers_of,
    ids_of,
)

REMEMBERED_MAX = 10_000
"""Traced signals whose contexts are kept for links, about 4 MB."""
LINKS_MAX = 32


class Trail:
    """The spans of one record, or of one tick, while it is on its way; `context` is what its results carry."""

    __slots__ = ("alerts", "context", "lane", "span")

    def __init__(self, lane: Partition, context: SpanContext | None, span: Span | None) -> None:
        self.lane, self.context, self.span = lane, context, span
        self.alerts: dict[tuple[str, int], Span] = {}

    def end(self, failure: str = "") -> None:
        """Everything of it is over; `failure` says why it came to nothing."""
        for span in (*self.alerts.values(), *([self.span] if self.span else [])):
            if failure:
                fail(span, failure)
            span.end()


class _Named(msgspec.Struct, frozen=True):
    """Of a signal or a rollup, no more than which signal it is."""

    signal_id: str = ""
    signal: _Named | None = None


_NAMED = msgspec.json.Decoder(_Named)
Open = dict[Ticket, Trail]


class Where(msgspec.Struct, frozen=True):
    """A stage as its spans tell it. Its outputs to the topics in `carry` get the context of their record."""

    stage: str
    group: str
    begins: bool
    carry: frozenset[str]
    alerts: str


class Traced:
    """A processor with a span around each record that is traced."""

    def __init__(self, inner: Processor, tracing: Tracing, where: Where, open_: Open) -> None:
        self._inner, self._tracing, self._where = inner, tracing, where
        self._open = open_
        self._trails: set[Trail] = set()
        self._seen: OrderedDict[str, SpanContext] = OrderedDict()

    def assigned(self, lanes: Partitions) -> None:
        """As it is."""
        self._inner.assigned(lanes)

    async def opened(self, lane: Partition, add: Callable[[Done], None]) -> Restored | None:
        """As it is; results that no record made are told as those of a tick."""
        return await self._inner.opened(lane, lambda done: add(self._answered(lane, None, done)))

    def accept(self, work: Sequence[tuple[Ticket, Message]], finish: Finish) -> None:
        """Begin the spans of those that are traced, and pass all on."""
        for ticket, message in work:
            parent = following(message.headers)
            if parent is None and not self._where.begins:
                continue
            span = self._begin(message, parent)
            context = span.get_span_context() if span else parent
            if context is not None:
                trail = self._open[ticket] = Trail(ticket.lane, context, span)
                if span is not None:
                    self._trails.add(trail)
                    self._remember(message, context)

        def answered(ticket: Ticket, done: Done) -> None:
            finish(ticket, self._answered(ticket.lane, self._open.pop(ticket, None), done))

        self._inner.accept(work, answered)

    def tick(self, lane: Partition, now_ms: int) -> Done | None:
        """What the clock does; its alerts belong to the traces of their evidence."""
        done = self._inner.tick(lane, now_ms)
        return None if done is None else self._answered(lane, None, done)

    def committed(self, lane: Partition, results: Sequence[Done], ends: Ends) -> None:
        """Their spans are over. A line about an alert of theirs names its trace."""
        trails = [fact for done in results for fact in done.facts if isinstance(fact, Trail)]
        spans = {key: span for trail in trails for key, span in trail.alerts.items()}
        with naming({key: ids_of(span.get_span_context()) for key, span in spans.items()}):
            self._inner.committed(lane, results, ends)
        for trail in trails:
            trail.end()
            self._trails.discard(trail)

    def closed(self, lane: Partition) -> None:
        """What was on its way comes again to the next owner, as another span of the same trace."""
        self._inner.closed(lane)
        for trail in [trail for trail in self._trails if trail.lane == lane]:
            trail.end("the lane was given up before the commit")
            self._trails.discard(trail)
        for ticket in [ticket for ticket in self._open if ticket.lane == lane]:
            del self._open[ticket]

    def _begin(self, message: Message, parent: SpanContext | None) -> Span | None:
        position, where = message.position, self._where
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.operation.name": where.stage,
            "messaging.destination.name": position.topic,
            "messaging.destination.partition.id": str(position.partition),
            "messaging.kafka.offset": position.offset,
            "messaging.consumer.group.name": where.group,
        }
        return self._tracing.begin(f"{where.stage} {position.topic}", TAKEN, parent, attributes)

    def _remember(self, message: Message, context: SpanContext) -> None:
        """Under which trace a signal came, for the alerts that it will be evidence of."""
        if self._where.begins:
            return
        try:
            named = _NAMED.decode(message.value or b"{}")
        except (ValueError, RecursionError):
            return
        if signal_id := named.signal_id or (named.signal.signal_id if named.signal else ""):
            self._seen[signal_id] = context
            if len(self._seen) > REMEMBERED_MAX:
                self._seen.popitem(last=False)

    def _answered(self, lane: Partition, trail: Trail | None, done: Done) -> Done:
        """The same, with what its outputs carry, and the spans of its alerts."""
        if trail is None:
            if not any(isinstance(fact, Alert) for fact in done.facts):
                return done
            trail = Trail(lane, None, None)
        carried = () if trail.context is None else headers_of(trail.context)
        alerts = iter([fact for fact in done.facts if isinstance(fact, Alert)])
        outputs = tuple(
            self._alerting(trail, next(alerts), output)
            if output.topic == self._where.alerts
            else _carrying(output, carried)
            if output.topic in self._where.carry
            else output
            for output in done.outputs
        )
        if trail.span is not None:
            _tell(trail.span, done)
        if trail.span is None and not trail.alerts:
            return msgspec.structs.replace(done, outputs=outputs)
        self._trails.add(trail)
        return msgspec.structs.replace(done, outputs=outputs, facts=(*done.facts, trail))

    def _alerting(self, trail: Trail, alert: Alert, output: Output) -> Output:
        """The record of an alert, with its own span where one of those that made it has one."""
        known = [self._seen[one.signal_id] for one in alert.evidence if one.signal_id in self._seen]
        mine = trail.context if trail.span is not None else None
        parent = mine if mine in known or not known else known[0]
        if parent is None:
            return _carrying(output, () if trail.context is None else headers_of(trail.context))
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.destination.name": output.topic,
            "riskstream.alert.id": alert.alert_id,
            "riskstream.alert.sequence": alert.sequence,
            "riskstream.alert.state": alert.state,
            "riskstream.alert.severity": alert.severity,
            "riskstream.alert.reason": alert.reason,
            "riskstream.rule": alert.rule,
            "riskstream.subject": alert.subject.key,
        }
        links = list({one.span_id: one for one in known if one != parent}.values())[:LINKS_MAX]
        span = self._tracing.begin(f"alert {alert.rule}", SENT, parent, attributes, links)
        if span is None:
            return _carrying(output, headers_of(parent))
        trail.alerts[alert.alert_id, alert.sequence] = span
        return _carrying(output, headers_of(span.get_span_context()))


def _carrying(output: Output, carried: Headers) -> Output:
    """This output with the context of its span, in place of one that it had (a dead letter keeps its own headers)."""
    if not carried:
        return output
    kept = tuple(header for header in output.headers if header[0] not in (PARENT, STATE))
    return msgspec.structs.replace(output, headers=(*kept, *carried))


def _tell(span: Span, done: Done) -> None:
    """What a record came to."""
    span.add_event("answered")
    for fact in done.facts:
        if isinstance(fact, Fact):
            span.set_attributes({"riskstream.outcome": fact.outcome, "riskstream.signals": fact.signals})
        reason = fact.reason if isinstance(fact, Fact | Rejected) else None
        if reason is not None:
            span.set_attribute("riskstream.reason", reason.value)
            fail(span, reason.value)
