"""What a committed reader sees of a peer's signals: how late they are, and whether each is there once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from riskstream.core.clock import parse_ms
from riskstream.kafka.config import KafkaConfig


class Signal(msgspec.Struct):
    """What is looked at."""

    signal_id: str
    received_at: str


_SIGNAL = msgspec.json.Decoder(Signal)


@asynccontextmanager
async def committed_reader(config: KafkaConfig, topic: str, lanes: int) -> AsyncIterator[AIOKafkaConsumer]:
    """A reader of all partitions of a topic, from their beginning."""
    consumer = AIOKafkaConsumer(
        **{**config.connection(), "request_timeout_ms": 60_000},
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(lanes)])
        yield consumer
    finally:
        await consumer.stop()


async def latencies(consumer: AIOKafkaConsumer, waits: list[float], count: int, seconds_max: float) -> None:
    """Milliseconds from append to here of each signal, until all are there or the time is over."""
    end = time.monotonic() + seconds_max
    while len(waits) < count and time.monotonic() < end:
        got = await consumer.getmany(timeout_ms=1_000)
        now_ms = time.time() * 1000
        for records in got.values():
            waits += [now_ms - parse_ms(_SIGNAL.decode(record.value).received_at) for record in records]


async def wrong(config: KafkaConfig, topic: str, lanes: int, expected: int | None) -> int:
    """Signals too many and too few in the end; where it is not known how many there must be, too many."""
    seen: Counter[str] = Counter()
    async with committed_reader(config, topic, lanes) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                seen.update(_SIGNAL.decode(record.value).signal_id for record in records)
    return seen.total() - len(seen) + (0 if expected is None else abs(expected - len(seen)))
