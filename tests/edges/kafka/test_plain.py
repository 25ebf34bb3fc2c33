"""Lanes without transactions on a real broker: results before the offset, and the offset of its owner alone."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from riskstream.core.errors import LaneLost, OperatorError
from riskstream.core.ports import Resume
from riskstream.core.records import Output, Partition
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.config import KafkaConfig
from tests.support.brokers import fresh, member, new_topic, read_all, values
from tests.support.until import until

if TYPE_CHECKING:
    from dev.kafka.serve import KafkaServer

pytestmark = pytest.mark.broker


@pytest.fixture
async def broker(kafka_server: KafkaServer) -> AsyncIterator[KafkaBroker]:
    real = KafkaBroker(KafkaConfig(bootstrap_servers=kafka_server.bootstrap_servers, transactions=False))
    yield real
    await real.close()


def out(topic: str, value: bytes, partition: int | None = 0) -> Output:
    return Output(topic, b"k", value, (), partition)


async def test_results_and_offset_are_there_for_the_next_owner(broker: KafkaBroker) -> None:
    feed, results, group = await new_topic(broker), await new_topic(broker, 3), fresh("group")
    partition = Partition(feed, 0)
    async with member(broker, group, feed):
        lane = broker.lane(partition, group, "")
        assert await lane.open() is None
        outputs = [out(results, b"%d" % i, partition=i % 3) for i in range(9)]
        assert await lane.commit([*outputs, out(results, b"9", None)], 41, "tries=1") == {
            Partition(results, number): end for number, end in enumerate(await ends(broker, results))
        }
        await lane.commit([], 42, "tries=0")
        await lane.close()
    assert sorted(values(await read_all(broker, results))) == [b"%d" % i for i in range(10)]
    async with member(broker, group, feed):
        successor = broker.lane(partition, group, "")
        assert await successor.open() == Resume(42, "tries=0")
        await successor.close()


async def ends(broker: KafkaBroker, topic: str) -> list[int]:
    return [bounds.end for _, bounds in sorted((await broker.reader(topic).bounds()).items())]


async def test_a_record_that_the_broker_refuses_commits_no_offset(broker: KafkaBroker) -> None:
    feed, group = await new_topic(broker), fresh("group")
    narrow = await new_topic(broker, **{"max.message.bytes": "2000", "compression.type": "uncompressed"})
    async with member(broker, group, feed):
        lane = broker.lane(Partition(feed, 0), group, "")
        await lane.open()
        await lane.commit([], 1)
        with pytest.raises(OperatorError, match=r"kafka\.message_bytes_max"):
            await lane.commit([out(narrow, os.urandom(5_000))], 2)
        with pytest.raises(LaneLost):
            await lane.commit([], 3)
        await lane.close()
        successor = broker.lane(Partition(feed, 0), group, "")
        assert await successor.open() == Resume(1)
        await successor.close()


async def test_what_the_lane_keeps_is_not_written_where_what_others_read_is_refused(broker: KafkaBroker) -> None:
    feed, kept, group = await new_topic(broker), await new_topic(broker), fresh("group")
    narrow = await new_topic(broker, **{"max.message.bytes": "2000", "compression.type": "uncompressed"})
    async with member(broker, group, feed):
        lane = broker.lane(Partition(feed, 0), group, "")
        await lane.open()
        with pytest.raises(OperatorError):
            await lane.commit([out(kept, b"state"), out(narrow, os.urandom(5_000), None)], 1)
        await lane.close()
    assert await read_all(broker, kept) == []


async def test_where_the_group_has_no_member_the_offset_can_be_moved(broker: KafkaBroker) -> None:
    """As `feeds reset` does."""
    feed, group = await new_topic(broker), fresh("group")
    for offset, before in ((5, None), (3, Resume(5))):
        lane = broker.lane(Partition(feed, 0), group, "")
        assert await lane.open() == before
        await lane.commit([], offset)
        await lane.close()


async def test_the_offset_of_an_owner_who_has_lost_the_partition_is_refused(kafka_server: KafkaServer) -> None:
    servers = kafka_server.bootstrap_servers
    silent = KafkaConfig(bootstrap_servers=servers, transactions=False, session_timeout_ms=6_000)
    old = KafkaBroker(silent)
    new = KafkaBroker(silent)
    feed, group = await new_topic(old), fresh("group")
    partition = Partition(feed, 0)
    async with member(old, group, feed) as first:
        await until(lambda: first.source.assigned() == {partition})
        lane = old.lane(partition, group, "")
        await lane.open()
        await lane.commit([], 1)
        heartbeats = old._members[group]._started()._coordinator
        await heartbeats._stop_heartbeat_task()  # as where the process is stopped
        async with member(new, group, feed) as second:
            await until(lambda: second.source.assigned() == {partition})
            successor = new.lane(partition, group, "")
            assert await successor.open() == Resume(1)
            await successor.commit([], 5)
            with pytest.raises(LaneLost, match="CommitFailedError"):
                await lane.commit([], 2)
            await asyncio.gather(lane.close(), successor.close())
    last = new.lane(partition, group, "")
    assert await last.open() == Resume(5)
    await last.close()
    await asyncio.gather(old.close(), new.close())
