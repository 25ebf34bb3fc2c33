"""Fetched records as messages, and a wait for them that is bounded: what sources and readers share.

`getmany` with a time-out is not bounded: a rebalance that starts meanwhile holds it until the rebalance is over. To
cancel it is worse: the client then counts a fetch that never ends, and no longer leaves the group when nobody polls.
So records are taken without waiting, and the wait is on the client's own fetch waiter (`_fetcher`, a private door; the
contract suite fails at once where an update of the client moves it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from riskstream.core.records import Message, Partition, Position
from riskstream.kafka.config import KafkaConfig

GATHER_BYTES, GATHER_MS = 16_384, 25
IDLE_BYTES, IDLE_MS = 1, 500
Fetched = dict[Partition, Sequence[Message]]


def new_consumer(config: KafkaConfig, **arguments: Any) -> AIOKafkaConsumer:
    """A consumer, not started, that sees committed records only and never moves or commits an offset by itself."""
    return AIOKafkaConsumer(
        **config.connection(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=config.fetch_bytes_max,
        **arguments,
    )


async def take(consumer: AIOKafkaConsumer, records_max: int) -> Fetched:
    """What has been fetched already. Raises the client's errors."""
    fetched = await consumer.getmany(timeout_ms=0, max_records=records_max)
    return {ours(tp): [message(record) for record in records] for tp, records in fetched.items()}


def gather(consumer: AIOKafkaConsumer, *, busy: bool) -> None:
    """Where records come, the broker gathers them for up to 25 ms before it answers: at 1,000 a second it is asked
    40 times a second instead of 200, and what a fetch, a batch and a turn cost is shared. Where none come, the first
    one is told at once, and it is asked twice a second. The client's own door for it is shut once it runs."""
    fetcher = consumer._fetcher
    fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = (GATHER_BYTES, GATHER_MS) if busy else (IDLE_BYTES, IDLE_MS)


async def arrival(consumer: AIOKafkaConsumer, within_s: float, *others: asyncio.Future[None]) -> None:
    """Return when something was fetched, one of `others` is done, or the time is over. Raises the client's errors."""
    fetched: asyncio.Future[None] = consumer._fetcher._create_fetch_waiter()
    try:
        await asyncio.wait([fetched, *others], timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        if fetched.done():
            fetched.result()
    finally:
        fetched.cancel()


def message(record: ConsumerRecord) -> Message:
    """A record of the client as ours."""
    headers = tuple((name, value if value is not None else b"") for name, value in record.headers)
    position = Position(record.topic, record.partition, record.offset)
    return Message(position, record.timestamp, record.key, record.value, headers)


def ours(partition: TopicPartition) -> Partition:
    """A partition of the client as ours."""
    return Partition(partition.topic, partition.partition)


def theirs(partition: Partition) -> TopicPartition:
    """A partition of ours as the client's."""
    return TopicPartition(partition.topic, partition.partition)
