"""The consumer groups of the embedded broker: eager rebalances in the order of Kafka's, one at a time.

    join, leave or command ─► every member: on_revoked(all that it had), awaited
                           ─► range assignment over members in the order in which they joined
                           ─► every member: all partitions paused at 0, then on_assigned, awaited

Rule 1. No member is given a partition before the one that had it has come back from `on_revoked`.
Rule 2. What a callback raises is kept, and raised by that member's `poll` from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from riskstream.core.errors import InternalError, LaneLost
from riskstream.core.gaps import Bounds
from riskstream.core.ports import Callback, Partitions, Resume, Start
from riskstream.core.records import Message, Partition
from riskstream.kafka.errors import OffsetGone

if TYPE_CHECKING:
    from riskstream.kafka.memory import MemoryBroker


class Group:
    """The members of a consumer group and what it has committed."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.committed: dict[Partition, Resume] = {}
        self._broker = broker
        self._members: list[MemorySource] = []
        self._rebalancing = asyncio.Lock()

    @property
    def topics(self) -> set[str]:
        """What its members read."""
        return {topic for member in self._members for topic in member.topics}

    @property
    def size(self) -> int:
        """How many members it has."""
        return len(self._members)

    async def join(self, member: MemorySource) -> None:
        """One more member; returns when it has its share."""
        async with self._rebalancing:
            await self._revoke_all()
            self._members.append(member)
            await self._assign_all()

    async def leave(self, member: MemorySource) -> None:
        """One member less; the others take its share."""
        async with self._rebalancing:
            if member in self._members:
                await self._revoke_all()
                self._members.remove(member)
                await self._assign_all()

    async def rebalance(self) -> None:
        """Hand everything out again among the same members."""
        async with self._rebalancing:
            await self._revoke_all()
            await self._assign_all()

    async def _revoke_all(self) -> None:
        await asyncio.gather(*(member.lose() for member in self._members))

    async def _assign_all(self) -> None:
        shares: dict[MemorySource, set[Partition]] = {member: set() for member in self._members}
        for topic in sorted(topic for topic in self.topics if self._broker.has(topic)):
            readers = [member for member in self._members if topic in member.topics]
            for member, numbers in zip(readers, _ranges(self._broker.partitions_of(topic), len(readers)), strict=True):
                shares[member].update(Partition(topic, number) for number in numbers)
        await asyncio.gather(*(member.gain(frozenset(share)) for member, share in shares.items()))


def _ranges(partitions: int, members: int) -> list[range]:
    """Contiguous shares, the first ones larger by one where it does not divide."""
    least, more = divmod(partitions, members)
    starts = [least * i + min(i, more) for i in range(members + 1)]
    return [range(starts[i], starts[i + 1]) for i in range(members)]


class MemorySource:
    """A `Source` in memory."""

    def __init__(self, broker: MemoryBroker, group: Group, topics: tuple[str, ...]) -> None:
        self.topics = topics
        self._broker, self._group = broker, group
        self._on_assigned: Callback = _nothing
        self._on_revoked: Callback = _nothing
        self._positions: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._fetched: set[Partition] = set()
        self._losing = False
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    async def start(self, on_assigned: Callback, on_revoked: Callback) -> None:
        """Join the group. Every partition is paused when `on_assigned` is called; `resume` starts it."""
        for topic in self.topics:
            self._broker.partitions_of(topic)
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._broker.waits(self._changed)
        await self._group.join(self)

    async def poll(self, records_max: int, timeout_ms: int) -> Mapping[Partition, Sequence[Message]]:
        """Messages of resumed partitions in offset order; empty after `timeout_ms`. Raises what a callback raised,
        and OffsetGone."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_ms / 1000
        await asyncio.sleep(0)
        while True:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            taken = self._take(records_max)
            if taken or (left := deadline - loop.time()) <= 0:
                return taken
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return {}

    def _take(self, records_max: int) -> dict[Partition, Sequence[Message]]:
        taken: dict[Partition, Sequence[Message]] = {}
        for partition in [p for p in self._positions if p not in self._paused]:
            if records_max <= 0:
                break
            log, position = self._broker.log(partition), self._positions.pop(partition)
            self._positions[partition] = position  # last in the dictionary: next time the others come first
            if not log.begin <= position <= log.end:
                if taken:
                    break
                self._paused.add(partition)
                raise OffsetGone(partition, position)
            self._fetched.add(partition)
            messages = log.read(position, records_max)
            if messages:
                taken[partition] = messages
                records_max -= len(messages)
            drained = not messages or messages[-1] is log.messages[-1]
            self._positions[partition] = log.end if drained else messages[-1].position.offset + 1
        return taken

    def seek(self, partition: Partition, offset: int) -> None:
        """The next message of this partition is the one at `offset`. Raises LaneLost where it is not assigned."""
        if offset < 0:
            raise InternalError(f"cannot seek {partition} to {offset}")
        if partition not in self._positions:
            raise LaneLost(f"{partition} is not assigned to this member")
        self._positions[partition] = offset
        self._changed.set()

    def pause(self, partitions: Partitions) -> None:
        """Deliver nothing of these until they are resumed; what is not assigned is passed over."""
        self._paused |= partitions & self._positions.keys()

    def resume(self, partitions: Partitions) -> None:
        """Deliver these again; what is not assigned is passed over."""
        self._fetched -= self._paused & partitions
        self._paused -= partitions
        self._changed.set()

    def assigned(self) -> Partitions:
        """What this member owns now."""
        return frozenset(self._positions)

    async def start_offset(self, partition: Partition, start: Start) -> int:
        """The offset at which a partition that never committed begins."""
        if start.at_ms is not None:
            return await self.offset_at(partition, start.at_ms)
        there = await self.bounds(partition)
        return there.begin if start.where == "earliest" else there.end

    async def end_offset(self, partition: Partition) -> int:
        """The last stable offset: what a committed reader can read up to, exclusive."""
        return self._broker.log(partition).end

    async def offset_at(self, partition: Partition, at_ms: int) -> int:
        """The first offset with a timestamp at or after `at_ms`; the end if there is none."""
        return self._broker.log(partition).offset_at(at_ms)

    async def bounds(self, partition: Partition) -> Bounds:
        """What the broker holds of a partition."""
        log = self._broker.log(partition)
        return Bounds(log.begin, log.end)

    def position(self, partition: Partition) -> int | None:
        """The offset of what is delivered next; None where it is not assigned."""
        return self._positions.get(partition)

    def lag(self, partition: Partition) -> int | None:
        """Records between the position and the end; None before the first fetch, or where it is not assigned."""
        if partition not in self._fetched or partition in self._paused:
            return None
        return max(0, self._broker.log(partition).end - self._positions[partition])

    async def confirm(self, partition: Partition) -> bool:
        """Ask the group now whether this partition is ours, in the generation that gave it to us."""
        return partition in self._positions and not self._losing

    async def stop(self) -> None:
        """Leave the group; `on_revoked` is called for what was still owned."""
        await self._group.leave(self)
        self._broker.rests(self._changed)

    async def lose(self) -> None:
        """The group takes everything back."""
        lost = self.assigned()
        self._paused |= lost
        self._losing = True
        if lost:
            await self._call(self._on_revoked, lost)
        self._losing = False
        self._positions.clear()
        self._fetched.clear()

    async def gain(self, partitions: Partitions) -> None:
        """The group gives a share."""
        self._positions = dict.fromkeys(sorted(partitions), 0)
        self._paused = set(partitions)
        await self._call(self._on_assigned, partitions)

    async def _call(self, callback: Callback, partitions: Partitions) -> None:
        try:
            await callback(partitions)
        except Exception as error:
            self._error = self._error or error
            self._changed.set()


async def _nothing(_: Partitions) -> None:
    """The callback before `start`."""
