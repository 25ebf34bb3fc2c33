"""The watch stage: signals in, alerts out. One engine per lane, since a lane sees all of its entities.

    assigned ─► read the lane's state ─► signals and idle ticks ─► alerts + state + offset, one transaction
    revoked  ─► committed to the last ─► kept aside: a lane that comes back to its log as we left it reads nothing

Rule 1. The engine is told the time: the append time of each signal, and the wall clock only while the lane has read
        all there is. So a backlog is judged by the times at which it arrived.
Rule 2. What a signal changed in memory goes out with its offset, in the transaction of its alerts, and so does what it
        contributes to groups, portfolios, sources and the market: a second processor reads those from their own topic.
Rule 3. A signal that the state has seen already is passed over: at or below its offset, and not younger than its clock.
        An offset alone does not tell, since it begins anew in a topic that was created again.
Rule 4. Other rules or another watchlist come between two records of a lane. What comes while its subjects are brought
        under them waits; the event loop and the other lanes do not.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from riskstream.core.clock import parse_ms
from riskstream.core.ports import Ends, Partitions
from riskstream.core.reading.deadletter import dead_letter
from riskstream.core.records import Alert, Message, Output, Partition, Rejected, Ticket
from riskstream.core.watching import codec
from riskstream.core.watching.watch import Step, Watch, WatchLimits
from riskstream.service.stages.lanes import Done, Finish, Restored
from riskstream.service.stages.memory import Memory
from riskstream.service.stages.watchlane import InForce, WatchLane
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import (
    AlertPublished,
    AlertsHeld,
    AlertsOpen,
    DocumentsDecided,
    StateEvicted,
    StateSize,
)

RENEWED_AT_ONCE = 32
"""Subjects that are brought under other rules before others may use the event loop: 50 ms of a lane that slept."""
URGENT = ("fired", "raised")
"""What people are called for does not wait for a transaction to fill; that more is known, or less, does."""
RENEWED_AHEAD_MAX = 64
"""Results of a renewal that wait for their transaction: a lane of 100,000 subjects would hold all it writes at once."""


class WatchTopics(msgspec.Struct, frozen=True):
    """Where alerts, contributions to subjects that are no entities, and unreadable records go."""

    alerts: str
    dead_letters: str
    dead_letter_bytes_max: int
    rollups: str = ""


class WatchProcessor:
    """Judges the signals of its lanes, or, where it `reads_rollups`, what they contribute to others than entities."""

    def __init__(
        self,
        in_force: InForce,
        topics: WatchTopics,
        memory: Memory,
        *,
        limits: WatchLimits,
        tick_lag_ms: int,
        telemetry: Telemetry,
        on_alert: Callable[[Alert], None] | None = None,
        reads_rollups: bool = False,
    ) -> None:
        self._reads_rollups = reads_rollups
        self._in_force = in_force
        self._topics, self._memory, self._limits = topics, memory, limits
        self._tick_lag_ms, self._telemetry, self._on_alert = tick_lag_ms, telemetry, on_alert
        self._lanes: dict[Partition, WatchLane] = {}
        self._aside: dict[Partition, WatchLane] = {}
        self._stale, self._room = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Bring the lanes under what is in force, until cancelled."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            for lane, mine in list(self._lanes.items()):
                await self._renew(lane, mine)

    def use(self, in_force: InForce) -> None:
        """Judge by other rules or another watchlist from the next record of each lane on."""
        self._in_force = in_force
        self._stale.set()

    def assigned(self, lanes: Partitions) -> None:
        """What was kept aside of lanes that others have now goes."""
        self._aside = {lane: kept for lane, kept in self._aside.items() if lane in lanes}

    async def opened(self, lane: Partition, add: Callable[[Done], None]) -> Restored | None:
        """Go on with the engine that was kept aside, or with one made from the state log."""
        started = time.monotonic()
        aside = self._aside.pop(lane, None)
        loaded = await self._memory.load(lane, aside.end if aside else None)
        if loaded is not None:
            engine = self._engine()
            engine.restore(loaded.kept)
            aside = WatchLane(engine, self._in_force, loaded.kept.offset, loaded.end)
        assert aside is not None
        aside.add = add
        self._lanes[lane] = aside
        if not self._current(aside):
            self._stale.set()
        self._tell_size(lane)
        return Restored(loaded.count if loaded else 0, aside.engine.subjects, time.monotonic() - started)

    def accept(self, work: Sequence[tuple[Ticket, Message]], finish: Finish) -> None:
        """Judge signals in order: at once, or, where the lane is being renewed, after that."""
        for ticket, message in work:
            lane = self._lanes[ticket.lane]
            if not self._current(lane):
                lane.waiting.append((ticket, message, finish))
                continue
            lane.ahead += 1
            if lane.knows(message):
                finish(ticket, Done(since_ms=message.timestamp_ms))
                continue
            lane.offset = max(lane.offset, message.position.offset)
            found = self._judge(lane.engine, message)
            if isinstance(found, Rejected):
                letter = dead_letter(message, found, self._topics.dead_letters, self._topics.dead_letter_bytes_max)
                finish(ticket, self._done(ticket.lane, (letter,), message.timestamp_ms, (found,)))
                continue
            step, since_ms = found
            outputs = tuple(self._output(alert) for alert in step.alerts)
            outputs += tuple(Output(self._topics.rollups, r.key.encode(), codec.encode(r)) for r in step.rollups)
            finish(ticket, self._done(ticket.lane, outputs, since_ms, step.alerts))

    def _engine(self) -> Watch:
        now = self._in_force
        return Watch(
            now.rules,
            now.watchlist,
            limits=self._limits,
            keeps_state=True,
            config=now.config,
            rollups=self._reads_rollups,
        )

    def _current(self, lane: WatchLane) -> bool:
        return lane.in_force is self._in_force and not lane.engine.renewing

    async def _renew(self, lane: Partition, mine: WatchLane) -> None:
        """Bring a lane under what is in force, some subjects at a time; then what waited is judged."""
        while self._lanes.get(lane) is mine and not self._current(mine):
            if not mine.engine.renewing:
                mine.in_force = now = self._in_force
                mine.engine.replace(now.rules, now.watchlist, now.config)
            alerts = mine.engine.renew(RENEWED_AT_ONCE)
            done = self._done(lane, tuple(self._output(alert) for alert in alerts), None, alerts)
            if done.outputs or not mine.engine.renewing:
                mine.ahead += 1
                mine.add(done)
            await asyncio.sleep(0)
            while mine.ahead > RENEWED_AHEAD_MAX and self._lanes.get(lane) is mine:
                self._room.clear()
                await self._room.wait()
        if self._lanes.get(lane) is mine:
            waiting, mine.waiting = mine.waiting, []
            for ticket, message, finish in waiting:
                self.accept([(ticket, message)], finish)

    def _judge(self, engine: Watch, message: Message) -> tuple[Step, int] | Rejected:
        """What a record does, and the moment that its end-to-end time counts from."""
        if self._reads_rollups:
            found = codec.read_rollup(message)
            if isinstance(found, Rejected):
                return found
            rollup, raw = found
            since_ms = message.timestamp_ms if rollup.signal is None else parse_ms(rollup.signal.received_at)
            return engine.on_rollup(rollup, message.timestamp_ms, raw), since_ms
        signal = codec.read_signal(message)
        if isinstance(signal, Rejected):
            return signal
        step = engine.on_signal(signal, message.timestamp_ms, msgspec.Raw(message.value or b""))
        return step, parse_ms(signal.received_at)

    def tick(self, lane: Partition, now_ms: int) -> Done | None:
        """The lane is idle: the wall clock, less the lag, moves it. What it changes in memory alone goes out too."""
        mine = self._lanes[lane]
        if not self._current(mine):
            return None
        alerts = mine.engine.on_time(now_ms - self._tick_lag_ms)
        done = self._done(lane, tuple(self._output(alert) for alert in alerts), None, alerts)
        if not done.outputs:
            return None
        mine.ahead += 1
        return done

    def _done(
        self, lane: Partition, outputs: tuple[Output, ...], since_ms: int | None, facts: Sequence[object]
    ) -> Done:
        mine = self._lanes[lane]
        outputs += self._memory.outputs(lane, mine.engine.changes(), mine.offset)
        last = self._memory.lane_output(lane, mine.engine.save(self._memory.partitions), mine.offset)
        urgent = any(isinstance(fact, Alert) and fact.reason in URGENT for fact in facts)
        return Done(outputs, since_ms, (last,), tuple(facts), urgent)

    def committed(self, lane: Partition, results: Sequence[Done], ends: Ends) -> None:
        """Tell of the alerts that are out, and of the lane's size."""
        alerts = [fact for done in results for fact in done.facts if isinstance(fact, Alert)]
        for alert in alerts:
            self._telemetry.emit(_published(alert))
            if self._on_alert is not None:
                self._on_alert(alert)
        rejected = [fact for done in results for fact in done.facts if isinstance(fact, Rejected)]
        if rejected:
            reasons = Counter(fact.reason for fact in rejected)
            self._telemetry.emit(DocumentsDecided(lane.topic, {"rejected": len(rejected)}, reasons))
        mine = self._lanes.get(lane)
        if mine is not None:
            mine.ahead -= len(results)
            self._room.set()
            mine.end = ends.get(self._memory.partition_of(lane), mine.end)
            self._tell_size(lane)

    def closed(self, lane: Partition) -> None:
        """Keep the engine aside if all that it did is committed: the lane may come back in the same rebalance."""
        mine = self._lanes.pop(lane, None)
        self._room.set()
        if mine is not None and mine.ahead == 0 and not mine.waiting:
            self._aside[lane] = mine
        self._telemetry.emit(StateSize(lane.topic, lane.partition, 0))
        self._telemetry.emit(AlertsOpen(lane.topic, lane.partition, {}))

    def _tell_size(self, lane: Partition) -> None:
        mine = self._lanes[lane]
        engine, held = mine.engine, mine.engine.takers.held()
        for (rule, why), count in (held - mine.held).items():
            self._telemetry.emit(AlertsHeld(rule, why, count))
        mine.held = held
        self._telemetry.emit(StateSize(lane.topic, lane.partition, engine.subjects))
        opened = Counter((alert.rule, alert.severity) for alert in engine.open_alerts())
        self._telemetry.emit(AlertsOpen(lane.topic, lane.partition, opened))
        for reason, count in engine.ticks.evicted.items():
            self._telemetry.emit(StateEvicted(reason, count))
        engine.ticks.evicted.clear()

    def _output(self, alert: Alert) -> Output:
        return Output(self._topics.alerts, alert.alert_id.encode(), codec.encode(alert))


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
