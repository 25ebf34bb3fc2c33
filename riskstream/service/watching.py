"""The watch stage: signals in, alerts out. One engine per lane, since a lane sees all of its entities.

    assigned ─► read the signals of the last `history_s` again, silently ─► new signals and idle ticks ─► alerts

Rule 1. The engine is told the time: the append time of each signal, and the wall clock only while the lane has read
        all there is. So a backlog is judged by the times at which it arrived.
Rule 2. The lane's clock is kept beside its committed offset, so that the next owner stands at the same moment.

An honest doubt: what a lane knows is rebuilt from its signals, so an alert that has been open for longer than
`history_s` is opened a second time by the next owner. State of its own will end that.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from riskstream.core import codec
from riskstream.core.clock import parse_ms
from riskstream.core.deadletter import dead_letter
from riskstream.core.held import HeldReason
from riskstream.core.records import Alert, Message, Output, Partition, Rejected, Ticket, Watched
from riskstream.core.rules import RuleSet
from riskstream.core.watch import Watch
from riskstream.service.lanes import Done, Finish, Restored
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import AlertPublished, AlertsHeld, AlertsOpen, DocumentsDecided, StateSize

CLOCK = "clock="


class WatchTopics(msgspec.Struct, frozen=True):
    """Where alerts and unreadable signals go."""

    alerts: str
    dead_letters: str
    dead_letter_bytes_max: int


class _Lane:
    """The engine of one lane, and where its last owner's clock stood."""

    __slots__ = ("clock_ms", "engine", "held", "records", "started")

    def __init__(self, engine: Watch, clock_ms: int) -> None:
        self.engine, self.clock_ms = engine, clock_ms
        self.records, self.started = 0, time.monotonic()
        self.held: Counter[tuple[str, HeldReason]] = Counter()


class WatchProcessor:
    """Judges the signals of its lanes."""

    def __init__(
        self,
        rules: RuleSet,
        watchlist: Mapping[str, Watched],
        topics: WatchTopics,
        *,
        history_ms: int,
        tick_lag_ms: int,
        telemetry: Telemetry,
        on_alert: Callable[[Alert], None] | None = None,
    ) -> None:
        self._rules, self._watchlist, self._topics = rules, watchlist, topics
        self._history_ms, self._tick_lag_ms = history_ms, tick_lag_ms
        self._telemetry, self._on_alert = telemetry, on_alert
        self._lanes: dict[Partition, _Lane] = {}

    def opened(self, lane: Partition, metadata: str) -> int | None:
        """Begin with an empty engine; a lane that has run before reads its history again."""
        clock_ms = int(metadata.removeprefix(CLOCK)) if metadata.startswith(CLOCK) else 0
        self._lanes[lane] = _Lane(Watch(self._rules, self._watchlist), clock_ms)
        return clock_ms - self._history_ms if clock_ms else None

    def restore(self, message: Message) -> None:
        """A signal of the history: it changes the picture and publishes nothing."""
        lane = self._lanes[_partition(message)]
        signal = codec.read_signal(message)
        if not isinstance(signal, Rejected):
            lane.engine.on_signal(signal, message.timestamp_ms)
        lane.records += 1

    def restored(self, lane: Partition) -> Restored | None:
        """Bring the clock to where the last owner's stood; its alerts up to then are out."""
        state = self._lanes[lane]
        if not state.records:
            return None
        state.engine.on_time(state.clock_ms)
        state.held = state.engine.takers.held()
        return Restored(state.records, state.engine.subjects, time.monotonic() - state.started)

    def accept(self, work: Sequence[tuple[Ticket, Message]], finish: Finish) -> None:
        """Judge signals in order, at once."""
        for ticket, message in work:
            engine = self._lanes[ticket.lane].engine
            signal = codec.read_signal(message)
            if isinstance(signal, Rejected):
                letter = dead_letter(message, signal, self._topics.dead_letters, self._topics.dead_letter_bytes_max)
                finish(ticket, Done((letter,), message.timestamp_ms, self._metadata(engine), (signal,)))
                continue
            step = engine.on_signal(signal, message.timestamp_ms)
            outputs = tuple(self._output(alert) for alert in step.alerts)
            since_ms = parse_ms(signal.received_at)
            finish(ticket, Done(outputs, since_ms, self._metadata(engine), step.alerts))

    def tick(self, lane: Partition, now_ms: int) -> Done | None:
        """The lane is idle: the wall clock, less the lag, moves it."""
        engine = self._lanes[lane].engine
        alerts = engine.on_time(now_ms - self._tick_lag_ms)
        if not alerts:
            return None
        return Done(tuple(self._output(alert) for alert in alerts), None, self._metadata(engine), alerts)

    def committed(self, lane: Partition, results: Sequence[Done]) -> None:
        """Tell of the alerts that are out, and of the lane's size."""
        alerts = [fact for done in results for fact in done.facts if isinstance(fact, Alert)]
        for alert in alerts:
            self._telemetry.emit(_published(alert))
            if self._on_alert is not None:
                self._on_alert(alert)
        state = self._lanes.get(lane)
        rejected = [fact for done in results for fact in done.facts if isinstance(fact, Rejected)]
        if rejected:
            reasons = {reason: sum(r.reason == reason for r in rejected) for reason in {r.reason for r in rejected}}
            self._telemetry.emit(DocumentsDecided(lane.topic, {"rejected": len(rejected)}, reasons))
        if state is not None:
            held = state.engine.takers.held()
            for (rule, why), count in (held - state.held).items():
                self._telemetry.emit(AlertsHeld(rule, why, count))
            state.held = held
            self._telemetry.emit(StateSize(lane.topic, lane.partition, state.engine.subjects))
            self._telemetry.emit(
                AlertsOpen(
                    lane.topic,
                    lane.partition,
                    Counter((alert.rule, alert.severity) for alert in state.engine.open_alerts()),
                )
            )

    def closed(self, lane: Partition) -> None:
        """Drop the engine: the next owner builds its own."""
        self._lanes.pop(lane, None)
        self._telemetry.emit(StateSize(lane.topic, lane.partition, 0))
        self._telemetry.emit(AlertsOpen(lane.topic, lane.partition, {}))

    def _metadata(self, engine: Watch) -> str:
        return f"{CLOCK}{engine.clock_ms}"

    def _output(self, alert: Alert) -> Output:
        return Output(self._topics.alerts, alert.alert_id.encode(), codec.encode(alert))


def _partition(message: Message) -> Partition:
    return Partition(message.position.topic, message.position.partition)


def _published(alert: Alert) -> AlertPublished:
    return AlertPublished(
        alert_id=alert.alert_id,
        sequence=alert.sequence,
        rule=alert.rule,
        subject_by=alert.subject.by,
        subject_id=alert.subject.id,
        state=alert.state,
        severity=alert.severity,
        reason=alert.reason,
        value=alert.value,
        limit=alert.limit,
        stories=alert.stories,
        sources=alert.sources,
    )
