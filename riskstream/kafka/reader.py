"""Everything that is committed in a topic, without a group: rebuilding the firing table, exports, restores.

The end of a partition is its last stable offset. It often lies behind the marker of a transaction, which is never
delivered, so the end is reached by the position and not by the last message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, errors
from aiokafka.structs import TopicPartition

from riskstream.core.errors import InternalError
from riskstream.core.gaps import Bounds
from riskstream.core.records import Message
from riskstream.kafka.cluster import Cluster
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.connect import Failure, quiet, start, told, unreachable
from riskstream.kafka.errors import OffsetGone
from riskstream.kafka.fetching import Fetched, arrival, new_consumer, ours, take, theirs

RECORDS_MAX = 1_000
STALL_S_MAX = 30.0
"""A read that has an end and makes no progress for so long has lost its broker."""

Offsets = dict[TopicPartition, int]


class KafkaReader:
    """A `Reader` over aiokafka. Each call of `read` or `follow` has a connection of its own while it lasts."""

    def __init__(self, config: KafkaConfig, cluster: Cluster, topic: str) -> None:
        self._config, self._cluster, self._topic = config, cluster, topic

    async def read(self, from_offsets: Mapping[int, int] | None = None) -> AsyncIterator[Message]:
        """From the beginning of all partitions, or from the given offsets of the given ones, up to the ends as they
        are when the reading begins. 0 is the beginning, also where that is deleted.

        Raises OperatorError, UnknownTopic among them, and OffsetGone for an offset that is not there.
        """
        async with self._consumer(None if from_offsets is None else sorted(from_offsets)) as consumer:
            ends = await self._seek(consumer, from_offsets or {})
            loop = asyncio.get_running_loop()
            moved, before = loop.time(), 0
            while ends:
                for partition, messages in (await self._next(consumer)).items():
                    end = ends.get(theirs(partition), 0)
                    for message in messages:
                        if message.position.offset < end:
                            yield message
                positions = {tp: await consumer.position(tp) for tp in consumer.assignment()}
                for tp in [tp for tp, end in ends.items() if positions[tp] >= end]:
                    consumer.pause(tp)
                    del ends[tp]
                if sum(positions.values()) > before:
                    moved, before = loop.time(), sum(positions.values())
                elif loop.time() - moved > STALL_S_MAX:
                    raise unreachable(self._config, f"topic {self._topic!r} gives nothing for {STALL_S_MAX:.0f} s")

    async def offsets_at(self, at_ms: int) -> Mapping[int, int]:
        """Per partition the first offset with a timestamp at or after `at_ms`; the end where there is none."""
        async with self._consumer(None) as consumer:
            partitions = list(consumer.assignment())
            found = await consumer.offsets_for_times(dict.fromkeys(partitions, max(0, at_ms)))
            ends = await consumer.end_offsets(partitions)
            return {tp.partition: ends[tp] if there is None else there.offset for tp, there in found.items()}

    async def bounds(self) -> Mapping[int, Bounds]:
        """Per partition what the broker holds, up to the last stable offset."""
        async with self._consumer(None) as consumer:
            partitions = list(consumer.assignment())
            begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
            return {tp.partition: Bounds(begins[tp], ends[tp]) for tp in partitions}

    async def follow(self, from_offsets: Mapping[int, int] | None = None) -> AsyncIterator[Message]:
        """From the beginning, or from the given offset per partition, and on without end; all partitions."""
        async with self._consumer(None) as consumer:
            await self._seek(consumer, from_offsets or {})
            while True:
                for messages in (await self._next(consumer)).values():
                    for message in messages:
                        yield message

    @asynccontextmanager
    async def _consumer(self, numbers: list[int] | None) -> AsyncIterator[AIOKafkaConsumer]:
        every = range(await self._cluster.partitions(self._topic))
        if unknown := [number for number in numbers or () if number not in every]:
            raise InternalError(f"topic {self._topic!r} has no partition {unknown[0]}")
        consumer = new_consumer(self._config)
        consumer.assign([TopicPartition(self._topic, number) for number in (every if numbers is None else numbers)])
        try:
            await start(self._config, consumer)
            yield consumer
        except Failure as error:
            raise told(self._config, error) from error
        finally:
            with quiet():
                await consumer.stop()

    async def _seek(self, consumer: AIOKafkaConsumer, from_offsets: Mapping[int, int]) -> Offsets:
        """Set every partition to its first offset; the ends of those that have something to read."""
        partitions = list(consumer.assignment())
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        firsts: Offsets = {}
        for tp in partitions:
            wanted = from_offsets.get(tp.partition, 0)
            firsts[tp] = wanted or begins[tp]
            if not begins[tp] <= firsts[tp] <= ends[tp]:
                raise OffsetGone(ours(tp), wanted)
            consumer.seek(tp, firsts[tp])
        return {tp: end for tp, end in ends.items() if firsts[tp] < end}

    async def _next(self, consumer: AIOKafkaConsumer) -> Fetched:
        try:
            fetched = await take(consumer, RECORDS_MAX)
            if not fetched:
                await arrival(consumer, 1.0)
                fetched = await take(consumer, RECORDS_MAX)
        except errors.OffsetOutOfRangeError as error:
            (tp, offset), *_ = error.args[0].items()
            raise OffsetGone(ours(tp), offset) from error
        return fetched
