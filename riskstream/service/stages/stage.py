"""A stage: a member of a consumer group with one lane per assigned partition.

    join ─► assigned: open the lanes, at most 8 at once ─► poll ─► processor ─► lanes commit ─► …
              ▲                                                                    │
              │   pause that doubles                                    LaneLost   │   stop or revoked
              └──────────────────────────── leave the group ◄──────────────────────┴─► drain, commit, close

Rule 1. A partition stays paused until its lane is open, so nothing is read before the old owner is fenced.
Rule 2. A lane is opened only when the group has acknowledged a heartbeat that was sent after the assignment or, where
        it was lost, after the loss, in the same generation: a process that was paused and wakes must not fence the
        rightful owner. A lane that is lost again and again makes the stage leave the group and join anew.
Rule 3. Revoked lanes share one deadline. What they have not committed by then comes again to the next owner.
Rule 4. A lane that cannot go on where it stands stops alone (gaps.py). Brokers that are all away are waited for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from itertools import count
from typing import Any

from riskstream.core.errors import BrokerUnreachable, LaneLost, first_error
from riskstream.core.gaps import Gap
from riskstream.core.ports import Broker, Partitions, Source, Start
from riskstream.core.records import Partition
from riskstream.kafka.errors import OffsetGone
from riskstream.sections import Stages
from riskstream.sections.trouble import Watchdogs
from riskstream.service.health import Health
from riskstream.service.stages.dogs import StageDogs
from riskstream.service.stages.flow import Flow
from riskstream.service.stages.gaps import Gaps
from riskstream.service.stages.lanes import CommitLimits, LaneRun, Processor
from riskstream.service.stages.report import Report
from riskstream.service.stages.turns import Turns
from riskstream.telemetry.emit import Telemetry

REOPENINGS_MAX = 3
"""A lane that is lost more often than this without a commit in between gives up the whole membership."""
CONFIRM_AGAIN_S, CONFIRMS_MAX = 0.5, 20
"""Not confirmed is mostly a rebalance, which soon takes the lane back."""
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
        suspect: Callable[[Partition, int], None] | None = None,
        watchdogs: Watchdogs | None = None,
    ) -> None:
        """`suspect` is told of lanes whose records below an offset may have ended processes."""
        self.name, self.group, self._app = name, f"{app}.{name}", app
        self._broker, self._starts, self._processor, self._limits = broker, starts, processor, limits
        self._report = Report(name, telemetry, health, now_ms)
        self._commit_limits = CommitLimits(limits.commit_ms / 1000, limits.commit_records_max, limits.commit_bytes_max)
        self._commits: dict[Partition, asyncio.Task[None]] = {}
        self._epochs = count(1)
        self._opening, self._turns = asyncio.Semaphore(limits.lanes_opening_max), Turns(limits.lanes_committing_max)
        self._revoked: set[Partition] = set()
        self._runs: dict[Partition, LaneRun] = {}
        self._gaps = Gaps(broker, starts, self._runs)
        self._flow = Flow(
            starts, limits.in_flight_max, gaps=self._gaps, processor=processor, report=self._report, now_ms=now_ms
        )
        self._dogs = StageDogs(watchdogs or Watchdogs(), self._report, self._flow.reads)
        self._leaving = self._committed_since_join = self._joined = False
        self._suspect, self._me = suspect, None if suspect is None else os.urandom(8).hex()

    @property
    def lanes_ready(self) -> bool:
        """Some partitions are ours, and each of them is read."""
        return bool(self._runs) and all(run.phase == "ready" for run in self._runs.values())

    @property
    def in_flight(self) -> int:
        """Records read and not yet committed, over all lanes."""
        return sum(run.in_flight for run in self._runs.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: join, work, drain. Raises OperatorError where a person must act first."""
        pause_s = 1.0
        while not stop.is_set():
            try:
                await self._member(stop)
            except* (LaneLost, BrokerUnreachable) as lost:
                if not self._joined:
                    raise
                error = first_error(lost)
                self._report.waits(error, pause_s)
                if self._committed_since_join:
                    pause_s, self._committed_since_join = 1.0, False
                try:
                    await asyncio.wait_for(stop.wait(), pause_s)
                except TimeoutError:
                    pause_s = min(pause_s * 2, self._limits.rejoin_max_s)
            else:
                return

    async def _member(self, stop: asyncio.Event) -> None:
        """One membership of the group, from joining to leaving."""
        topics = await self._gaps.readable()
        if not topics:
            raise LaneLost(f"no topic is left to read: {self._gaps.all[0]}")
        source = self._broker.source(self.group, topics)
        self._leaving = False
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    await source.start(
                        lambda partitions: self._on_assigned(source, partitions, tasks.create_task),
                        self._on_revoked,
                    )
                    self._joined = True
                    self._report.joined()
                    watching = (
                        tasks.create_task(self._gaps.watch(partial(self._stop_reading, source))),
                        tasks.create_task(self._dogs.watch(source, self._runs)),
                    )
                    await self._poll(source, stop)
                    for task in watching:
                        task.cancel()
                    self._leaving = True
                    source.pause(source.assigned())
                    await self._on_revoked(frozenset(self._runs))
                finally:
                    self._leaving = True
                    for task in self._commits.values():
                        task.cancel()
        finally:
            try:
                for run in list(self._runs.values()):
                    await self._close(run)
            finally:
                await source.stop()

    async def _poll(self, source: Source, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._flow.balance(source, self._runs)
            try:
                polled = await source.poll(self._limits.poll_records_max, POLL_MS)
            except OffsetGone as gone:
                await self._gaps.at_fetch(source, gone, partial(self._stop_reading, source))
                continue
            for partition, messages in polled.items():
                run = self._runs.get(partition)
                if run is not None and run.phase == "ready":
                    await run.take(messages, self._processor.accept)
            self._flow.tick(source, self._runs)

    async def _on_assigned(
        self, source: Source, partitions: Partitions, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    ) -> None:
        """Lanes open beside the rebalance, which must not wait for them. A member on its way out takes nothing: the
        next owner does."""
        if self._leaving:
            return
        self._processor.assigned(partitions)
        for partition in sorted(partitions):
            self._commits[partition] = spawn(self._work(source, self._new_run(partition)))
        self._tell_health()

    def _new_run(self, partition: Partition) -> LaneRun:
        """A lane in a new epoch, not yet open."""
        transactional_id = f"{self._app}.{self.name}.{partition.topic}.{partition.partition}"
        lane, epoch = self._broker.lane(partition, self.group, transactional_id), next(self._epochs)
        run = LaneRun(lane, partition, epoch, self._commit_limits, self._turns, wary_as=self._me)
        self._runs[partition] = run
        self._report.changed(partition, "opening")
        return run

    async def _work(self, source: Source, run: LaneRun) -> None:
        """One lane, from opening to drained; a lost one is opened anew as long as the group says that it is ours."""
        failures = 0
        while True:
            try:
                async with self._opening:
                    if not await self._ours(source, run) or not await self._open(source, run):
                        return
                while (commit := await run.commit_next()) is not None:
                    failures = 0
                    self._committed_since_join = True
                    self._report.committed(run.partition, commit)
                    self._processor.committed(run.partition, commit.results, commit.ends)
                return
            except LaneLost as error:
                failures += 1
                lane = run.partition
                self._report.lost(run, error)
                source.pause(frozenset({lane}))
                await run.close()
                self._tell_health()
                if lane in self._revoked:
                    return
                if failures > REOPENINGS_MAX:
                    self._leaving = True
                    raise
                self._processor.closed(lane)
                run = self._new_run(lane)

    async def _ours(self, source: Source, run: LaneRun) -> bool:
        """Whether the group still says so, now. An assignment may be old: of a process that was paused when it came.

        False where it was taken back meanwhile. Raises LaneLost: the group is silent. BrokerUnreachable: all are."""
        for _ in range(CONFIRMS_MAX):
            if run.phase != "opening":
                return False
            if await source.confirm(run.partition):
                return True
            await asyncio.sleep(CONFIRM_AGAIN_S)
        await self._broker.topic_ids([run.partition.topic])
        raise LaneLost(f"the group does not confirm that {run.partition.topic}/{run.partition.partition} is ours")

    async def _open(self, source: Source, run: LaneRun) -> bool:
        """Fence, find the place, bring back what the lane knows, begin to read; False where the partition was taken
        back meanwhile."""
        partition = run.partition
        offset, kept = await run.open()
        gap, kept = await self._gaps.at_open(partition, offset, kept)
        if run.phase != "opening":
            return False
        if gap is not None:
            run.phase = "ready"
            self._stop_reading(source, gap)
            return True
        begin = await source.start_offset(partition, self._starts[partition.topic]) if offset is None else offset
        await run.begin_at(begin, kept, committed=offset is not None)
        if run.phase != "opening":
            return False
        span = self._limits.in_flight_max + self._limits.poll_records_max
        if self._suspect is not None and (until := run.suspected_until(begin, span)) is not None:
            self._suspect(partition, until)
        run.phase = "restoring"
        self._report.changed(partition, "restoring")
        restored = await self._processor.opened(partition, run.add)
        if run.phase != "restoring":
            return False
        source.seek(partition, begin)
        source.resume(frozenset({partition}))
        run.phase = "ready"
        if restored is not None:
            self._report.restored(run.partition, restored)
        self._report.changed(run.partition, "ready")
        self._tell_health()
        return True

    async def _on_revoked(self, partitions: Partitions) -> None:
        """Drain within the shared deadline, then let go."""
        mine = sorted(partition for partition in partitions if partition in self._runs)
        runs = [self._runs[partition] for partition in mine]
        self._revoked.update(mine)
        for run in runs:
            run.drain()
            self._report.changed(run.partition, "draining")
        if tasks := [self._commits[partition] for partition in mine if partition in self._commits]:
            _, late = await asyncio.wait(tasks, timeout=self._limits.drain_ms / 1000)
            for task in late:
                task.cancel()
        for partition, run in zip(mine, runs, strict=True):
            await self._close(self._runs.get(partition, run))
        self._revoked.difference_update(mine)
        self._tell_health()

    async def _close(self, run: LaneRun) -> None:
        """Let go of a lane, once: the group's revocation and our own leaving may both come here."""
        partition = run.partition
        if self._runs.get(partition) is not run:
            return
        del self._runs[partition]
        self._commits.pop(partition, None)
        self._gaps.closed(partition)
        self._flow.closed(partition)
        self._processor.closed(partition)
        await run.close()
        self._report.changed(partition, "closed")

    def _stop_reading(self, source: Source, gap: Gap) -> None:
        """One lane cannot go on where it stands; a person must act. The others do."""
        source.pause(frozenset({gap.partition}))
        self._gaps.add(gap)
        self._report.stopped(gap)
        self._tell_health()

    def _tell_health(self) -> None:
        self._report.lanes([run.phase for run in self._runs.values()], self._gaps.all)
