"""What tests need of a broker besides its ports: fresh names, short waits, a member of a group that keeps a diary."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiokafka.admin import RecordsToDelete

from riskstream.core.ports import Broker, Partitions, Source, TopicInfo
from riskstream.core.records import Message, Output, Partition
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.fetching import theirs
from riskstream.kafka.memory import MemoryBroker
from tests.support.until import SECONDS_MAX as WAIT_S
from tests.support.until import until

_numbers = itertools.count(1)


def fresh(word: str) -> str:
    """A name for a topic, a group or a transactional id that no other test has."""
    return f"{word}-{os.getpid()}-{next(_numbers)}"


async def new_topic(broker: Broker, partitions: int = 1, **config: str) -> str:
    """A topic of this test's own, whose timestamps are those of the append."""
    name = fresh("topic")
    settings = {"message.timestamp.type": "LogAppendTime", **config}
    await broker.create_topics([TopicInfo(name, partitions, 1, settings)])
    return name


async def publish(broker: Broker, *outputs: Output) -> None:
    """Write plainly."""
    publisher = await broker.publisher()
    try:
        await publisher.send(outputs)
    finally:
        await publisher.close()


def values(messages: Sequence[Message]) -> list[bytes | None]:
    """The values alone."""
    return [message.value for message in messages]


async def read_all(broker: Broker, topic: str, at_least: int = 0) -> list[Message]:
    """Everything that is committed in a topic, read until there are `at_least` so many: Kafka makes a transaction
    visible a moment after its commit has returned."""
    async with asyncio.timeout(WAIT_S):
        while True:
            messages = [message async for message in broker.reader(topic).read()]
            if len(messages) >= at_least:
                return messages
            await asyncio.sleep(0.01)


async def expire(broker: Broker, partition: Partition, before: int) -> None:
    """Delete what stands before an offset, as retention does in its own time."""
    if isinstance(broker, MemoryBroker):
        broker.expire(partition, before)
    elif isinstance(broker, KafkaBroker):
        admin = await broker._cluster._connected()
        await admin.delete_records({theirs(partition): RecordsToDelete(before)}, timeout_ms=10_000)


async def delete_topic(broker: Broker, topic: str) -> None:
    """Delete a topic, and return when it is gone."""
    if isinstance(broker, MemoryBroker):
        await broker.delete_topic(topic)
    elif isinstance(broker, KafkaBroker):
        await (await broker._cluster._connected()).delete_topics([topic])

    async def gone() -> bool:
        return topic not in await broker.topic_ids([topic])

    await until(gone)


class Member:
    """A source with the events that it saw, in order: `("assigned" | "revoked", partitions)`."""

    def __init__(self, broker: Broker, group: str, topics: Sequence[str], diary: list[tuple[str, str, Partitions]]):
        self.source: Source = broker.source(group, topics)
        self.name = fresh("member")
        self.diary = diary
        self.start_at: int | None = 0
        """Each assigned partition is sought there and resumed; None: it stays as it came."""
        self.on_revoked: Callable[[Partitions], Awaitable[None]] | None = None

    async def start(self) -> None:
        """Join the group."""
        async with asyncio.timeout(WAIT_S):
            await self.source.start(self._assigned, self._revoked)

    async def _assigned(self, partitions: Partitions) -> None:
        self.diary.append((self.name, "assigned", partitions))
        if self.start_at is not None:
            for partition in partitions:
                self.source.seek(partition, self.start_at)
            self.source.resume(partitions)

    async def _revoked(self, partitions: Partitions) -> None:
        if self.on_revoked is not None:
            await self.on_revoked(partitions)
        self.diary.append((self.name, "revoked", partitions))

    async def take(self, count: int, records_max: int = 500) -> dict[Partition, list[Message]]:
        """Poll until `count` messages have come."""
        taken: dict[Partition, list[Message]] = {}
        async with asyncio.timeout(WAIT_S):
            while sum(map(len, taken.values())) < count:
                for partition, messages in (await self.source.poll(records_max, 1_000)).items():
                    taken.setdefault(partition, []).extend(messages)
        return taken


@asynccontextmanager
async def member(broker: Broker, group: str, *topics: str, start_at: int | None = 0) -> AsyncIterator[Member]:
    """A started member that leaves at the end."""
    one = Member(broker, group, topics, [])
    one.start_at = start_at
    try:
        await one.start()
        yield one
    finally:
        await one.source.stop()
