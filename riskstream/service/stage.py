"""A stage: a member of a consumer group with one lane per assigned partition.

    join ─► assigned: open the lanes, at most 8 at once ─► poll ─► processor ─► lanes commit ─► …
              ▲                                                                    │
              │   pause that doubles                                    LaneLost   │   stop or revoked
              └──────────────────────────── leave the group ◄──────────────────────┴─► drain, commit, close

Rule 1. A partition stays paused until its lane is open, so nothing is read before the old owner is fenced.
Rule 2. A lane that was lost is not opened again by the same member: the stage leaves the group and joins anew,
        because only a new assignment proves that the partition is ours.
Rule 3. Revoked lanes share one deadline. What they have not committed by then comes again to the next owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from itertools import count
from typing import Any

from riskstream.core.errors import LaneLost
from riskstream.core.ports import Broker, Partitions, Source, Start
from riskstream.core.records import Partition
from riskstream.sections import Stages
from riskstream.service.health import Health
from riskstream.service.lanes import Commit, CommitLimits, LaneRun, Processor
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import Committed, LagSeen, LaneChanged, LaneFenced, LaneRestored, LaneState

POLL_MS = 200
"""Also how late a stop, a pause or a tick of an idle lane can come."""


class Stage:
    """Runs one processor over the partitions that the group gives us."""

    def __init__(
        self,
        name: str,
        broker: Broker,
        app: str,
        starts: Mapping[str, Start],
        processor: Processor,
        limits: Stages,
        *,
        telemetry: Telemetry,
        health: Health,
        now_ms: Callable[[], int],
    ) -> None:
        self.name, self.group = name, f"{app}.{name}"
        self._broker, self._starts, self._processor, self._limits = broker, starts, processor, limits
        self._telemetry, self._health, self._now_ms = telemetry, health, now_ms
        self._commit_limits = CommitLimits(limits.commit_ms / 1000, limits.commit_records_max, limits.commit_bytes_max)
        self._runs: dict[Partition, LaneRun] = {}
        self._commits: dict[Partition, asyncio.Task[None]] = {}
        self._epochs = count(1)
        self._opening = asyncio.Semaphore(limits.lanes_opening_max)
        self._restore_to: dict[Partition, int] = {}

    @property
    def lanes_ready(self) -> bool:
        """Some partitions are ours, and each of them is read."""
        return bool(self._runs) and all(run.phase == "ready" for run in self._runs.values())

    @property
    def in_flight(self) -> int:
        """Records read and not yet committed, over all lanes."""
        return sum(run.progress.in_flight for run in self._runs.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: join, work, drain. Raises OperatorError where a person must act first."""
        pause_s = 1.0
        while not stop.is_set():
            try:
                await self._member(stop)
            except* LaneLost as lost:
                error = lost.exceptions[0]
                self._health.set(f"{self.name}.lanes", False, f"a lane was lost: {error}; joining the group again")
                try:
                    await asyncio.wait_for(stop.wait(), pause_s)
                except TimeoutError:
                    pause_s = min(pause_s * 2, self._limits.rejoin_max_s)
            else:
                return

    async def _member(self, stop: asyncio.Event) -> None:
        """One membership of the group, from joining to leaving."""
        source = self._broker.source(self.group, sorted(self._starts))
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    await source.start(
                        lambda partitions: self._on_assigned(source, partitions, tasks.create_task),
                        self._on_revoked,
                    )
                    await self._poll(source, stop)
                    source.pause(source.assigned())
                    await self._on_revoked(frozenset(self._runs))
                finally:
                    for task in self._commits.values():
                        task.cancel()
        finally:
            for run in list(self._runs.values()):
                await self._close(run)
            await source.stop()

    async def _poll(self, source: Source, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._balance(source)
            polled = await source.poll(self._limits.poll_records_max, POLL_MS)
            for partition, messages in polled.items():
                run = self._runs.get(partition)
                if run is None or run.phase not in ("restoring", "ready"):
                    continue
                fresh = [m for m in messages if m.position.offset >= self._restore_to.get(partition, 0)]
                for message in messages[: len(messages) - len(fresh)]:
                    self._processor.restore(message)
                if fresh:
                    self._ready(run)
                    self._processor.accept(run.admit(fresh), run.finish)
            self._tick(source)

    def _tick(self, source: Source) -> None:
        """Lanes that have read all there is follow the wall clock."""
        lags: dict[str, int] = {}
        for partition, run in self._runs.items():
            lag = source.lag(partition)
            if lag is None or run.phase not in ("restoring", "ready"):
                continue
            lags[partition.topic] = lags.get(partition.topic, 0) + lag
            if lag == 0:
                self._ready(run)
                if done := self._processor.tick(partition, self._now_ms()):
                    run.add(done)
        for topic, records in lags.items():
            self._telemetry.emit(LagSeen(topic, records))

    def _balance(self, source: Source) -> None:
        """Pause the lanes that have enough in flight, resume those that have room again."""
        busy = {p for p, run in self._runs.items() if run.progress.in_flight >= self._limits.in_flight_max}
        idle = {
            p
            for p, run in self._runs.items()
            if run.phase in ("restoring", "ready") and run.progress.in_flight <= self._limits.in_flight_max // 2
        }
        source.pause(frozenset(busy))
        source.resume(frozenset(idle))

    async def _on_assigned(
        self, source: Source, partitions: Partitions, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    ) -> None:
        """Lanes open beside the rebalance, which must not wait for them."""
        for partition in sorted(partitions):
            group, stage = self.group, self.name
            transactional_id = f"{group.split('.', 1)[0]}.{stage}.{partition.topic}.{partition.partition}"
            lane = self._broker.lane(partition, group, transactional_id)
            run = LaneRun(lane, partition, next(self._epochs), self._commit_limits)
            self._runs[partition] = run
            self._changed(partition, "opening")
            self._commits[partition] = spawn(self._work(source, run))
        self._tell_health()

    async def _work(self, source: Source, run: LaneRun) -> None:
        """One lane: open it, then commit until it has drained."""
        partition = run.partition
        async with self._opening:
            if run.phase != "opening" or not await self._open(source, run):
                return
        try:
            while (commit := await run.commit_next()) is not None:
                self._committed(run, commit)
        except LaneLost as error:
            self._telemetry.emit(LaneFenced(self.name, partition.topic, partition.partition, str(error)))
            raise

    async def _open(self, source: Source, run: LaneRun) -> bool:
        """Fence, find the place, begin to read; False where the partition was taken back meanwhile."""
        partition = run.partition
        offset, metadata = await run.open()
        begin = await source.start_offset(partition, self._starts[partition.topic]) if offset is None else offset
        since_ms = self._processor.opened(partition, metadata)
        first = begin if since_ms is None else min(begin, await source.offset_at(partition, since_ms))
        if run.phase != "opening":
            return False
        run.next_offset = self._restore_to[partition] = begin
        run.phase = "restoring"
        source.seek(partition, first)
        source.resume(frozenset({partition}))
        if first == begin:
            self._ready(run)
        return True

    def _ready(self, run: LaneRun) -> None:
        if run.phase != "restoring":
            return
        restored = self._processor.restored(run.partition)
        if restored is not None:
            at = (self.name, run.partition.topic, run.partition.partition)
            self._telemetry.emit(LaneRestored(*at, restored.records, restored.subjects, restored.seconds))
        run.phase = "ready"
        self._changed(run.partition, "ready")
        self._tell_health()

    def _committed(self, run: LaneRun, commit: Commit) -> None:
        now_ms = self._now_ms()
        waits = tuple(float(now_ms - done.since_ms) for done in commit.results if done.since_ms is not None)
        lane = run.partition
        self._telemetry.emit(
            Committed(self.name, lane.topic, lane.partition, commit.records, commit.outputs, commit.seconds, waits)
        )
        self._processor.committed(lane, commit.results)

    async def _on_revoked(self, partitions: Partitions) -> None:
        """Drain within the shared deadline, then let go."""
        runs = [self._runs[p] for p in sorted(partitions) if p in self._runs]
        for run in runs:
            run.drain()
            self._changed(run.partition, "draining")
        tasks = [self._commits[run.partition] for run in runs]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._limits.drain_ms / 1000)
            for task in late:
                task.cancel()
        for run in runs:
            await self._close(run)
        self._tell_health()

    async def _close(self, run: LaneRun) -> None:
        await run.close()
        self._processor.closed(run.partition)
        self._changed(run.partition, "closed")
        del self._runs[run.partition], self._commits[run.partition]

    def _changed(self, partition: Partition, state: LaneState) -> None:
        self._telemetry.emit(LaneChanged(self.name, partition.topic, partition.partition, state))

    def _tell_health(self) -> None:
        waiting = [str(p.partition) for p, run in self._runs.items() if run.phase in ("opening", "restoring")]
        why = f"{len(waiting)} of {len(self._runs)} partitions are not ready" if waiting else ""
        self._health.set(f"{self.name}.lanes", not waiting, why)
