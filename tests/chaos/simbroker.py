"""The embedded broker seen over a network by processes that die: what Kafka's group and transactions do then.

    process ── SimSource ── trip ──► SimGroup   heartbeats, session and rebalance time-outs, generations
            ── SimLane  ─── trip ──► MemoryBroker: the request is under way on its own, whatever becomes of the sender

Rule 1. A request that was sent arrives, also when its sender was killed or paused meanwhile. An answer may be lost:
        then the commit is in, and the sender learns of a time-out.
Rule 2. A commit by a producer that was fenced before the request arrived is refused.
Rule 3. A member that does not answer is put out of the group. It goes on in the belief that it owns its share until
        its next heartbeat says otherwise.
Rule 4. A fence that hits a lane whose process owns the partition is noted in `rightful_fenced`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextvars import Context
from typing import Any

import msgspec

from riskstream.core.errors import LaneLost
from riskstream.core.ports import Callback, Ends, Partitions, Resume, StateRead, TopicInfo
from riskstream.core.records import Message, Output, Partition
from riskstream.kafka.memory import MemoryBroker, MemoryPublisher
from riskstream.kafka.memory_group import MemorySource, _ranges
from riskstream.kafka.memory_read import MemoryReader, MemoryStateLog
from tests.chaos.loop import Process

SESSION_S, REBALANCE_S, HEARTBEAT_S, CALLS_S = 15.0, 20.0, 3.0, 8.0
TRIP_S = 0.004


class SimCluster(MemoryBroker):
    """The brokers. `answers` is False while none of them does; `lossy` is the share of commits with a bad end."""

    def __init__(self, rng: random.Random, now_ms: Callable[[], int]) -> None:
        super().__init__(now_ms)
        self.rng = rng
        self.lossy = 0.0
        self.cut: set[str] = set()
        self.healed = asyncio.Event()
        self.refused = self.committed = 0
        self.rightful_fenced: list[str] = []
        self._sim_groups: dict[str, SimGroup] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run on the brokers' side: no process can take it down."""
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def trip(self, process: Process) -> None:
        """One way over the network; it waits while the process is cut off."""
        await asyncio.sleep(self.rng.expovariate(1 / TRIP_S))
        while process.name in self.cut:
            await self.healed.wait()

    def heal(self, *names: str) -> None:
        """These processes reach us again; what was under way to them or from them arrives."""
        self.cut.difference_update(names)
        healed, self.healed = self.healed, asyncio.Event()
        healed.set()

    def append_late(self, outputs: Sequence[Output], produced_ms: int) -> Ends:
        """A transaction becomes visible when it commits; its records keep the time at which they were produced."""
        before = {partition: len(log.messages) for partition, log in self._logs.items()}
        written = self.append(outputs, transaction=True)
        for partition, log in self._logs.items():
            first = before[partition]
            last_ms = log.messages[first - 1].timestamp_ms if first else 0
            for at in range(first, len(log.messages)):
                message = log.messages[at]
                log.messages[at] = msgspec.structs.replace(message, timestamp_ms=max(last_ms, produced_ms))
        return {partition: self._logs[partition].end for partition in written}

    def group(self, name: str) -> SimGroup:  # type: ignore[override]
        """The consumer group of that name, made where it is new."""
        if name not in self._sim_groups:
            self._sim_groups[name] = SimGroup(self)
        return self._sim_groups[name]

    def owner(self, partition: Partition, group: SimGroup) -> Process | None:
        """Whose the partition is by the group's word."""
        return next((m.process for m in group.members if partition in group.shares.get(m, frozenset())), None)


class SimGroup:
    """The coordinator of one consumer group."""

    def __init__(self, cluster: SimCluster) -> None:
        self.committed: dict[Partition, Resume] = {}
        self.members: list[SimSource] = []
        self.shares: dict[SimSource, Partitions] = {}
        self.generation = 0
        self._cluster = cluster
        self._seen: dict[SimSource, float] = {}
        self._joining: dict[SimSource, asyncio.Future[tuple[Partitions, int]]] = {}
        self._preparing = False
        self._watching = False

    @property
    def topics(self) -> set[str]:
        """What its members read."""
        return {topic for member in self.members for topic in member.topics}

    def join(self, member: SimSource) -> asyncio.Future[tuple[Partitions, int]]:
        """A member's (re)join; the answer comes when everybody has joined, or the time for it is over."""
        if not self._watching:
            self._watching = True
            self._cluster.spawn(self._expire())
        if member not in self.members:
            self.members.append(member)
        answer = self._joining[member] = asyncio.get_running_loop().create_future()
        self._prepare()
        return answer

    def heartbeat(self, member: SimSource, generation: int) -> str:
        """`ok`, `rebalance` (join again) or `unknown` (you were put out)."""
        if member not in self.members or generation != self.generation:
            return "unknown"
        self._seen[member] = asyncio.get_running_loop().time()
        return "rebalance" if self._preparing else "ok"

    def leave(self, member: SimSource) -> None:
        """A member goes."""
        self._joining.pop(member, None)
        if member in self.members:
            self.members.remove(member)
            self.shares.pop(member, None)
            self._prepare()

    def _prepare(self) -> None:
        if not self._preparing:
            self._preparing = True
            self._cluster.spawn(self._give_up(self.generation))
        self._complete_if_all()

    async def _give_up(self, generation: int) -> None:
        await asyncio.sleep(REBALANCE_S)
        if self._preparing and self.generation == generation:
            for member in [m for m in self.members if m not in self._joining]:
                self.members.remove(member)
            self._complete_if_all()

    async def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0.5)
            late = [m for m in self.members if m not in self._joining and loop.time() - self._seen[m] > SESSION_S]
            for member in late:
                self.leave(member)

    def _complete_if_all(self) -> None:
        if any(member not in self._joining for member in self.members):
            return
        self._preparing = False
        self.generation += 1
        shares: dict[SimSource, set[Partition]] = {member: set() for member in self.members}
        for topic in sorted(self.topics):
            readers = [member for member in self.members if topic in member.topics]
            spread = _ranges(self._cluster.partitions_of(topic), len(readers))
            for member, numbers in zip(readers, spread, strict=True):
                shares[member].update(Partition(topic, number) for number in numbers)
        self.shares = {member: frozenset(share) for member, share in shares.items()}
        now, joining = asyncio.get_running_loop().time(), self._joining
        self._joining = {}
        for member, answer in joining.items():
            self._seen[member] = now
            if not answer.done():
                answer.set_result((self.shares[member], self.generation))


class SimSource(MemorySource):
    """A member: joins, beats, and comes back when it is told to."""

    def __init__(self, cluster: SimCluster, group: SimGroup, topics: tuple[str, ...], process: Process) -> None:
        super().__init__(cluster, group, topics)  # type: ignore[arg-type]
        self.process = process
        self._cluster, self._sim_group = cluster, group
        self._generation = -1
        self._busy = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self, on_assigned: Callback, on_revoked: Callback) -> None:
        """Join the group. Every partition is paused when `on_assigned` is called; `resume` starts it."""
        for topic in self.topics:
            self._cluster.partitions_of(topic)
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._cluster.waits(self._changed)
        joined = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._coordinate(joined))
        await joined

    async def _coordinate(self, joined: asyncio.Future[None]) -> None:
        while True:
            await self._cluster.trip(self.process)
            share, self._generation = await self._sim_group.join(self)
            async with self._busy:
                await self.gain(share)
            if not joined.done():
                joined.set_result(None)
            await self._until_told_otherwise()
            async with self._busy:
                await self.lose()

    async def _until_told_otherwise(self) -> None:
        while await self._beat():  # noqa: ASYNC110 - heartbeats are what this is
            await asyncio.sleep(HEARTBEAT_S)

    async def _beat(self) -> bool:
        await self._cluster.trip(self.process)
        return self._sim_group.heartbeat(self, self._generation) == "ok"

    async def confirm(self, partition: Partition) -> bool:
        """A heartbeat sent now."""
        generation = self._generation
        alive = await self._beat()
        await self._cluster.trip(self.process)
        same = generation == self._generation and not self._losing
        return alive and same and partition in self.assigned()

    async def stop(self) -> None:
        """Leave the group; `on_revoked` is called for what was still owned."""
        if self._task is not None:
            async with self._busy:
                self._task.cancel()
            await asyncio.wait([self._task])
            await self.lose()
            self._cluster.spawn(self._leave())
        self._cluster.rests(self._changed)

    async def _leave(self) -> None:
        await self._cluster.trip(self.process)
        self._sim_group.leave(self)


class SimLane:
    """A lane whose requests travel."""

    def __init__(
        self, cluster: SimCluster, partition: Partition, group: SimGroup, transactional_id: str, process: Process
    ) -> None:
        self._cluster, self._group, self._process = cluster, group, process
        self._partition, self._id = partition, transactional_id
        self._open = False

    async def open(self) -> Resume | None:
        """Fence the old owner, then read where it stood."""
        try:
            async with asyncio.timeout(CALLS_S):
                await self._sent(self._fence)
                return await self._sent(lambda: self._group.committed.get(self._partition))
        except TimeoutError:
            raise LaneLost(f"lane {self._id}: no answer") from None

    async def commit(self, outputs: Sequence[Output], next_offset: int, metadata: str = "") -> Ends:
        """One transaction, or LaneLost."""
        if not self._open:
            raise LaneLost(f"lane {self._id} is not open")
        draw = self._cluster.rng.random() / self._cluster.lossy if self._cluster.lossy else 1.0
        try:
            async with asyncio.timeout(CALLS_S):
                produced_ms = await self._sent(self._produce)
                if draw < 0.3:
                    await asyncio.sleep(CALLS_S)  # the request is lost
                ends: Ends = await self._sent(lambda: self._apply(outputs, next_offset, metadata, produced_ms))
                if draw < 1.0:
                    await asyncio.sleep(CALLS_S)  # the answer is lost
                return ends
        except TimeoutError:
            self._open = False
            raise LaneLost(f"lane {self._id}: no answer") from None
        except LaneLost:
            self._open = False
            raise

    async def close(self) -> None:
        """Let go of the producer."""
        self._open = False

    async def _sent(self, what: Callable[[], Any]) -> Any:
        """A request: once it is sent it arrives, whatever becomes of us."""
        answer = await asyncio.shield(self._cluster.spawn(self._arrive(what)))
        await self._cluster.trip(self._process)
        if isinstance(answer, LaneLost):
            raise answer
        return answer

    async def _arrive(self, what: Callable[[], Any]) -> Any:
        await self._cluster.trip(self._process)
        try:
            return what()
        except LaneLost as refused:
            return refused

    def _fence(self) -> None:
        before = self._cluster._owners.get(self._id)
        owner = self._cluster.owner(self._partition, self._group)
        if isinstance(before, SimLane) and before._open and before._process is owner is not self._process:
            self._cluster.rightful_fenced.append(f"{self._id}: {self._process.name} fenced {owner.name}")
        self._cluster.own(self._id, self)  # type: ignore[arg-type]
        self._open = True

    def _owned(self) -> None:
        if not self._cluster.is_owner(self._id, self):  # type: ignore[arg-type]
            self._cluster.refused += 1
            raise LaneLost(f"lane {self._id} was fenced by a newer owner")

    def _produce(self) -> int:
        self._owned()
        return self._cluster._now_ms()

    def _apply(self, outputs: Sequence[Output], next_offset: int, metadata: str, produced_ms: int) -> Ends:
        self._owned()
        ends = self._cluster.append_late(outputs, produced_ms)
        self._group.committed[self._partition] = Resume(next_offset, metadata)
        self._cluster.committed += 1
        return ends


class SimBroker:
    """What one process sees of the cluster: a `Broker`."""

    def __init__(self, cluster: SimCluster, process: Process) -> None:
        self._cluster, self._process = cluster, process

    def source(self, group: str, topics: Sequence[str]) -> SimSource:
        """A new member of `group` that reads `topics`."""
        return SimSource(self._cluster, self._cluster.group(group), tuple(topics), self._process)

    def lane(self, partition: Partition, group: str, transactional_id: str) -> SimLane:
        """The lane of an input partition, not yet open."""
        return SimLane(self._cluster, partition, self._cluster.group(group), transactional_id, self._process)

    def reader(self, topic: str) -> SimReader:
        """A reader of one topic."""
        return SimReader(self._cluster, topic, self._process)

    def state(self, topic: str) -> SimStateLog:
        """The state log in a topic."""
        return SimStateLog(self._cluster, topic, self._process)

    async def publisher(self) -> MemoryPublisher:
        """A publisher."""
        await self._cluster.trip(self._process)
        return await self._cluster.publisher()

    async def topics(self) -> Mapping[str, TopicInfo]:
        """The topics that there are."""
        await self._cluster.trip(self._process)
        return await self._cluster.topics()

    async def topic_ids(self, topics: Sequence[str]) -> Mapping[str, str]:
        """The id of each of these topics that is there."""
        await self._cluster.trip(self._process)
        return await self._cluster.topic_ids(topics)

    async def members(self, group: str) -> int:
        """How many members a consumer group has now."""
        await self._cluster.trip(self._process)
        return len(self._cluster.group(group).members)

    async def create_topics(self, topics: Sequence[TopicInfo]) -> None:
        """Create what is missing."""
        await self._cluster.create_topics(topics)

    async def close(self) -> None:
        """Nothing is held."""


class SimStateLog(MemoryStateLog):
    """A state log over the network."""

    def __init__(self, cluster: SimCluster, topic: str, process: Process) -> None:
        super().__init__(cluster, topic)
        self._sim, self._process = cluster, process

    async def read(self, partition: int, known_end: int | None = None) -> StateRead | None:
        """As the embedded one, with a trip there and back."""
        await self._sim.trip(self._process)
        found = await super().read(partition, known_end)
        await self._sim.trip(self._process)
        return found


class SimReader(MemoryReader):
    """A reader over the network."""

    def __init__(self, cluster: SimCluster, topic: str, process: Process) -> None:
        super().__init__(cluster, topic)
        self._sim, self._process = cluster, process

    async def read(self, from_offsets: Mapping[int, int] | None = None) -> AsyncIterator[Message]:
        """As the embedded one, after a trip."""
        await self._sim.trip(self._process)
        async for message in super().read(from_offsets):
            yield message
