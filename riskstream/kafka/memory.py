"""The embedded broker: the ports of `core/ports.py` over lists in one process, for the demo, the replay and tests.

    publisher ─┐                                                    ┌─► source (memory_group.py): a group's member
    lane ──────┴─► Log per partition: records, then a marker ───────┴─► reader, state log (memory_read.py): without one

It keeps Kafka's promises, and the same contract suite holds both to them:

Rule 1. Records get the time of their append from `now_ms`, and offsets that rise by one.
Rule 2. A transaction is appended whole, with its input offset, or not at all. As in Kafka, its marker takes one offset
        in each partition that it wrote to, so that nobody may take offsets to be dense.
Rule 3. A newer `open` of a transactional id fences the older lane: its next commit raises LaneLost.

Everything runs on one event loop, and nothing is durable. Records are deleted on command: `expire`, `delete_topic`.
"""

from __future__ import annotations

import asyncio
import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from riskstream.core.errors import LaneLost
from riskstream.core.ports import Ends, Resume, TopicInfo
from riskstream.core.records import Message, Output, Partition, Position
from riskstream.kafka.memory_group import Group, MemorySource
from riskstream.kafka.memory_read import MemoryReader, MemoryStateLog
from riskstream.kafka.outputs import check_partition, check_sizes, partition_of_key
from riskstream.kafka.topics import fit, unknown_topic


class Log:
    """The records of one partition, from `begin` on. `end` is the next offset, past the markers of transactions."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.offsets: list[int] = []
        self.begin = self.end = 0

    def append(self, partition: Partition, output: Output, now_ms: int) -> None:
        """One record at the end."""
        position = Position(partition.topic, partition.partition, self.end)
        self.messages.append(Message(position, now_ms, output.key, output.value, output.headers))
        self.offsets.append(self.end)
        self.end += 1

    def mark(self) -> None:
        """The marker that ends a transaction."""
        self.end += 1

    def read(self, offset: int, records_max: int) -> list[Message]:
        """Up to `records_max` messages from `offset` on."""
        first = bisect_left(self.offsets, offset)
        return self.messages[first : first + records_max]

    def expire(self, before: int) -> None:
        """Delete what stands before this offset."""
        first = bisect_left(self.offsets, before)
        del self.messages[:first], self.offsets[:first]
        self.begin = max(self.begin, min(before, self.end))

    def offset_at(self, at_ms: int) -> int:
        """The first offset with a timestamp at or after `at_ms`; the end if there is none."""
        return next((m.position.offset for m in self.messages if m.timestamp_ms >= at_ms), self.end)


class MemoryBroker:
    """A `Broker` in memory. `now_ms` is the clock whose time records get; topics are made by `create_topics`."""

    def __init__(self, now_ms: Callable[[], int], *, message_bytes_max: int = 1_000_000) -> None:
        self.message_bytes_max = message_bytes_max
        self._now_ms = now_ms
        self._infos: dict[str, TopicInfo] = {}
        self._ids: dict[str, str] = {}
        self._made = itertools.count(1)
        self._logs: dict[Partition, Log] = {}
        self._groups: dict[str, Group] = {}
        self._owners: dict[str, MemoryLane] = {}
        self._waiters: set[asyncio.Event] = set()
        self._spread = itertools.count()
        self._failing: Counter[Partition] = Counter()

    def source(self, group: str, topics: Sequence[str]) -> MemorySource:
        """A new member of `group` that reads `topics`."""
        return MemorySource(self, self.group(group), tuple(topics))

    def lane(self, partition: Partition, group: str, transactional_id: str) -> MemoryLane:
        """The lane of an input partition, not yet open."""
        return MemoryLane(self, partition, self.group(group), transactional_id)

    def state(self, topic: str) -> MemoryStateLog:
        """The state log in a topic."""
        return MemoryStateLog(self, topic)

    def reader(self, topic: str) -> MemoryReader:
        """A reader of one topic."""
        return MemoryReader(self, topic)

    async def publisher(self) -> MemoryPublisher:
        """A publisher."""
        return MemoryPublisher(self)

    async def topics(self) -> Mapping[str, TopicInfo]:
        """The topics that there are."""
        return dict(self._infos)

    async def create_topics(self, topics: Sequence[TopicInfo]) -> None:
        """Create what is missing, with one replica; existing topics are left as they are."""
        for info in topics:
            if info.name not in self._infos:
                self._infos[info.name] = fit(info, brokers=1)
                self._ids[info.name] = f"topic-{next(self._made)}"
                for number in range(info.partitions):
                    self._logs[Partition(info.name, number)] = Log()

    async def topic_ids(self, topics: Sequence[str]) -> Mapping[str, str]:
        """The id of each of these topics that is there."""
        return {topic: self._ids[topic] for topic in topics if topic in self._infos}

    async def members(self, group: str) -> int:
        """How many members a consumer group has now."""
        return self.group(group).size

    async def close(self) -> None:
        """Nothing is held; here for the port."""

    def expire(self, partition: Partition, before: int) -> None:
        """Delete a partition's records before an offset, as retention does."""
        self.log(partition).expire(before)

    async def delete_topic(self, topic: str) -> None:
        """Delete a topic; its groups' commits stay, and who reads it is given the rest of its share anew."""
        gone = self._infos.pop(topic)
        await asyncio.gather(*(group.rebalance() for group in self._groups.values() if topic in group.topics))
        for number in range(gone.partitions):
            del self._logs[Partition(topic, number)]

    async def rebalance(self, group: str) -> None:
        """Take all partitions of a group's members away and hand them out again, as when a pod joins."""
        await self.group(group).rebalance()

    def fail_commits(self, partition: Partition, count: int = 1) -> None:
        """The next commits of this input partition's lanes raise LaneLost and commit nothing."""
        self._failing[partition] += count

    async def settle(self, groups: Iterable[str]) -> None:
        """Wait until each of these groups has committed every record of the topics that its members read."""
        changed, names = asyncio.Event(), tuple(groups)
        self.waits(changed)
        try:
            while any(self._unread(self.group(name)) for name in names):
                changed.clear()
                await changed.wait()
        finally:
            self.rests(changed)

    def _unread(self, group: Group) -> bool:
        mine = (p for p, log in self._logs.items() if p.topic in group.topics and log.offsets)
        return any(group.committed.get(p, Resume(0)).offset <= self._logs[p].offsets[-1] for p in mine)

    def group(self, name: str) -> Group:
        """The consumer group of that name, made where it is new."""
        return self._groups.setdefault(name, Group(self))

    def log(self, partition: Partition) -> Log:
        """The log of a partition. Raises UnknownTopic."""
        if partition not in self._logs:
            raise unknown_topic(partition.topic)
        return self._logs[partition]

    def has(self, topic: str) -> bool:
        """Whether there is such a topic."""
        return topic in self._infos

    def partitions_of(self, topic: str) -> int:
        """How many partitions a topic has. Raises UnknownTopic."""
        if topic not in self._infos:
            raise unknown_topic(topic)
        return self._infos[topic].partitions

    def append(self, outputs: Sequence[Output], *, transaction: bool) -> set[Partition]:
        """Write all outputs, checked as a whole first, and wake who waits for them; where they went to."""
        check_sizes(outputs, self.message_bytes_max)
        placed = [(self._place(output), output) for output in outputs]
        now_ms = self._now_ms()
        for partition, output in placed:
            self._logs[partition].append(partition, output, now_ms)
        written = {partition for partition, _ in placed}
        if transaction:
            for partition in written:
                self._logs[partition].mark()
        self.wake()
        return written

    def wake(self) -> None:
        """Everyone who waits looks again."""
        for event in self._waiters:
            event.set()

    def waits(self, event: asyncio.Event) -> None:
        """`event` is set at every append until `rests`."""
        self._waiters.add(event)

    def rests(self, event: asyncio.Event) -> None:
        """The end of `waits`."""
        self._waiters.discard(event)

    def own(self, transactional_id: str, lane: MemoryLane) -> None:
        """This lane fences the one that had the id."""
        self._owners[transactional_id] = lane

    def is_owner(self, transactional_id: str, lane: MemoryLane) -> bool:
        """Whether no newer lane has opened with the id."""
        return self._owners.get(transactional_id) is lane

    def fails(self, partition: Partition) -> bool:
        """Whether this commit is to fail."""
        failing = self._failing[partition] > 0
        self._failing[partition] -= failing
        return failing

    def _place(self, output: Output) -> Partition:
        count = self.partitions_of(output.topic)
        check_partition(output, count)
        if output.partition is not None:
            return Partition(output.topic, output.partition)
        number = next(self._spread) % count if output.key is None else partition_of_key(output.key, count)
        return Partition(output.topic, number)


class MemoryLane:
    """A `Lane` in memory."""

    def __init__(self, broker: MemoryBroker, partition: Partition, group: Group, transactional_id: str) -> None:
        self._broker, self._group = broker, group
        self._partition, self._id = partition, transactional_id
        self._open = False

    async def open(self) -> Resume | None:
        """Fence the old owner; return the committed position, or None where the group never committed here."""
        await asyncio.sleep(0)
        self._broker.own(self._id, self)
        self._open = True
        return self._group.committed.get(self._partition)

    async def commit(self, outputs: Sequence[Output], next_offset: int, metadata: str = "") -> Ends:
        """One transaction: all `outputs` and the input offset, or LaneLost and nothing of it. Given back is where each
        partition that was written to ends now.

        An OperatorError (a record too large, an unknown topic) is raised before anything is written: the lane goes on.
        """
        await asyncio.sleep(0)
        if not self._open:
            raise LaneLost(f"lane {self._id} is not open")
        if not self._broker.is_owner(self._id, self):
            self._open = False
            raise LaneLost(f"lane {self._id} was fenced by a newer owner")
        if self._broker.fails(self._partition):
            self._open = False
            raise LaneLost(f"lane {self._id} was told to fail")
        written = self._broker.append(outputs, transaction=True)
        self._group.committed[self._partition] = Resume(next_offset, metadata)
        return {partition: self._broker.log(partition).end for partition in written}

    async def close(self) -> None:
        """Let go of the producer."""
        self._open = False


class MemoryPublisher:
    """A `Publisher` in memory."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def send(self, outputs: Sequence[Output]) -> None:
        """Write them all, in order."""
        await asyncio.sleep(0)
        self._broker.append(outputs, transaction=False)

    async def close(self) -> None:
        """Nothing is held; here for the port."""
