"""Reading the embedded broker without a group: all of a topic, or what the state log of one partition holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING

from riskstream.core.errors import InternalError
from riskstream.core.gaps import Bounds
from riskstream.core.ports import StateRead
from riskstream.core.records import Message, Partition
from riskstream.kafka.errors import OffsetGone

if TYPE_CHECKING:
    from riskstream.kafka.memory import MemoryBroker


class MemoryStateLog:
    """A `StateLog` in memory."""

    def __init__(self, broker: MemoryBroker, topic: str) -> None:
        self._broker, self._topic = broker, topic

    async def read(self, partition: int, known_end: int | None = None) -> StateRead | None:
        """All that a partition holds; None where it ends at `known_end`. Raises UnknownTopic."""
        await asyncio.sleep(0)
        log = self._broker.log(Partition(self._topic, partition))
        if log.end == known_end:
            return None
        records: dict[bytes, bytes] = {}
        for message in log.messages:
            key = message.key or b""
            records.pop(key, None)
            if message.value is not None:
                records[key] = message.value
        return StateRead(records, len(log.messages), log.end)


class MemoryReader:
    """A `Reader` in memory."""

    def __init__(self, broker: MemoryBroker, topic: str) -> None:
        self._broker, self._topic = broker, topic

    async def read(self, from_offsets: Mapping[int, int] | None = None) -> AsyncIterator[Message]:
        """From the beginning of all partitions, or from the given offsets of the given ones, up to the ends as they
        are when the reading begins. Raises UnknownTopic, and OffsetGone for an offset past the end."""
        ends = [(partition, self._broker.log(partition).end) for partition in self._partitions(from_offsets)]
        for partition, end in ends:
            begin = self._broker.log(partition).begin
            first = (from_offsets or {}).get(partition.partition, 0) or begin
            if not begin <= first <= end:
                raise OffsetGone(partition, first)
            for message in self._broker.log(partition).read(first, end):
                if message.position.offset < end:
                    yield message
        await asyncio.sleep(0)

    async def offsets_at(self, at_ms: int) -> Mapping[int, int]:
        """Per partition the first offset with a timestamp at or after `at_ms`; the end where there is none."""
        return {each.partition: self._broker.log(each).offset_at(at_ms) for each in self._partitions(None)}

    async def bounds(self) -> Mapping[int, Bounds]:
        """Per partition what the broker holds."""
        logs = {each.partition: self._broker.log(each) for each in self._partitions(None)}
        return {number: Bounds(log.begin, log.end) for number, log in logs.items()}

    async def follow(self, from_offsets: Mapping[int, int] | None = None) -> AsyncIterator[Message]:
        """From the beginning, or from the given offset per partition, and on without end; all partitions."""
        positions = {each: (from_offsets or {}).get(each.partition, 0) for each in self._partitions(None)}
        appended = asyncio.Event()
        self._broker.waits(appended)
        try:
            while True:
                appended.clear()
                for partition in positions:
                    for message in self._broker.log(partition).read(positions[partition], 1_000):
                        positions[partition] = message.position.offset + 1
                        appended.set()
                        yield message
                await appended.wait()
        finally:
            self._broker.rests(appended)

    def _partitions(self, from_offsets: Mapping[int, int] | None) -> list[Partition]:
        every: Iterable[int] = range(self._broker.partitions_of(self._topic))
        wanted = every if from_offsets is None else sorted(from_offsets)
        if unknown := [number for number in wanted if number not in every]:
            raise InternalError(f"topic {self._topic!r} has no partition {unknown[0]}")
        return [Partition(self._topic, number) for number in wanted]
