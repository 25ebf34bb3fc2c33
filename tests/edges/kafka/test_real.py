"""What only a real Kafka can show: refusals, silence, and the client's traps of docs/kafka.md."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from riskstream.core.errors import LaneLost, OperatorError
from riskstream.core.ports import Resume
from riskstream.core.records import Output, Partition
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.cluster import Cluster
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.fetching import GATHER_BYTES, GATHER_MS, IDLE_BYTES, IDLE_MS
from riskstream.kafka.lane import KafkaLane
from riskstream.kafka.writing import new_producer
from tests.support.brokers import fresh, member, new_topic, publish, read_all, values
from tests.support.until import until

if TYPE_CHECKING:
    from dev.kafka.serve import KafkaServer

pytestmark = pytest.mark.broker
SECRET = "wrong-and-never-shown"


@pytest.fixture
async def broker(kafka_server: KafkaServer) -> AsyncIterator[KafkaBroker]:
    real = KafkaBroker(config(kafka_server))
    yield real
    await real.close()


def config(server: KafkaServer, **settings: object) -> KafkaConfig:
    return KafkaConfig(bootstrap_servers=server.bootstrap_servers, heartbeat_interval_ms=200, **settings)  # type: ignore[arg-type]


def with_password(server: KafkaServer, password: str, **settings: object) -> KafkaConfig:
    return KafkaConfig(
        bootstrap_servers=server.sasl_bootstrap_servers,
        security_protocol="SASL_PLAINTEXT",
        sasl_username="tester",
        sasl_password=password,
        **settings,  # type: ignore[arg-type]
    )


def out(topic: str, value: bytes, partition: int = 0) -> Output:
    return Output(topic, b"k", value, (), partition)


# Refusals: one error, the setting's name, within ten seconds, nothing else in the log


@pytest.fixture
def dead_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def refusal(settings: KafkaConfig, caplog: pytest.LogCaptureFixture) -> str:
    """The error that every first use of this connection gives."""
    told = set()
    broker = KafkaBroker(settings)
    with caplog.at_level(logging.INFO):
        for use in (broker.topics, broker.publisher):
            started = time.monotonic()
            with pytest.raises(OperatorError) as caught:
                await use()
            assert time.monotonic() - started < 10
            told.add(str(caught.value))
        await broker.close()
    assert [record for record in caplog.records if record.name.startswith("aiokafka")] == []
    assert len(told) == 1
    assert SECRET not in told.copy().pop() + repr(settings)
    return told.pop()


async def test_an_unreachable_broker(dead_port: str, caplog: pytest.LogCaptureFixture) -> None:
    message = await refusal(KafkaConfig(bootstrap_servers=dead_port, sasl_password=SECRET), caplog)
    assert message.startswith(f"kafka.bootstrap_servers = '{dead_port}': no broker can be reached")
    assert "Fix: start the broker" in message


async def test_a_broker_that_accepts_and_never_answers(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        message = await refusal(KafkaConfig(bootstrap_servers=server, connect_timeout_ms=500), caplog)
    assert message.startswith(f"kafka.bootstrap_servers = '{server}': no broker can be reached")


async def test_a_wrong_password(kafka_server: KafkaServer, caplog: pytest.LogCaptureFixture) -> None:
    message = await refusal(with_password(kafka_server, SECRET), caplog)
    assert message.startswith("kafka.sasl_password_file = '(not shown)': the broker refuses it for the user 'tester'")


async def test_a_mechanism_that_the_listener_does_not_offer(
    kafka_server: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    message = await refusal(with_password(kafka_server, "right", sasl_mechanism="SCRAM-SHA-512"), caplog)
    assert message.startswith("kafka.sasl_mechanism = 'SCRAM-SHA-512'")


async def test_no_password_where_the_listener_wants_one(
    kafka_server: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    message = await refusal(KafkaConfig(bootstrap_servers=kafka_server.sasl_bootstrap_servers), caplog)
    assert message.startswith("kafka.security_protocol = 'PLAINTEXT'")


async def test_a_user_without_rights_is_told_which(kafka_server: KafkaServer, broker: KafkaBroker) -> None:
    topic = await new_topic(broker)
    poor = KafkaBroker(with_password(kafka_server, "right"))
    assert await poor.topics() == {}
    lane = poor.lane(Partition(topic, 0), fresh("group"), "app.score.feed.0")
    with pytest.raises(OperatorError, match=r"kafka\.sasl_username = 'tester'.*transactional id app\.score\.feed\.0"):
        await lane.open()
    await lane.close()
    with pytest.raises(OperatorError, match=r"kafka\.sasl_username = 'tester'.*the cluster.*ACLs"):
        await publish(poor, out(topic, b"v"))
    await poor.close()


# Lanes and the client's traps


async def test_a_record_that_the_broker_refuses_commits_no_offset(broker: KafkaBroker) -> None:
    """Trap 1: the client's transaction would commit the offset although the send has failed."""
    feed = await new_topic(broker)
    narrow = await new_topic(broker, **{"max.message.bytes": "2000", "compression.type": "uncompressed"})
    group, name = fresh("group"), fresh("id")
    lane = broker.lane(Partition(feed, 0), group, name)
    await lane.open()
    await lane.commit([out(feed, b"before")], 1)
    with pytest.raises(OperatorError, match=r"kafka\.message_bytes_max.*max\.message\.bytes"):
        await lane.commit([out(feed, b"beside"), out(narrow, os.urandom(5_000))], 2)
    with pytest.raises(LaneLost, match="refused"):
        await lane.commit([], 3)
    await lane.close()
    successor = broker.lane(Partition(feed, 0), group, name)
    assert await successor.open() == Resume(1)
    await successor.commit([out(feed, b"after")], 2)
    await successor.close()
    assert values(await read_all(broker, feed, at_least=2)) == [b"before", b"after"]
    assert await read_all(broker, narrow) == []


async def test_the_client_still_has_trap_1(kafka_server: KafkaServer, broker: KafkaBroker) -> None:
    """Were this to fail, the client has been mended, and writing.py may be simpler."""
    feed = await new_topic(broker)
    narrow = await new_topic(broker, **{"max.message.bytes": "2000"})
    group, name = fresh("group"), fresh("id")
    producer = new_producer(config(kafka_server), name)
    await producer.start()
    await producer.begin_transaction()
    lost = await producer.send(narrow, os.urandom(5_000))
    await producer.send_offsets_to_transaction({TopicPartition(feed, 0): OffsetAndMetadata(7, "")}, group)
    await producer.commit_transaction()
    assert lost.exception() is not None
    await producer.stop()
    lane = broker.lane(Partition(feed, 0), group, name)
    assert await lane.open() == Resume(7)
    await lane.close()


async def test_opening_aborts_what_the_old_owner_left_open(kafka_server: KafkaServer, broker: KafkaBroker) -> None:
    """Trap 3: the committed offset is read only after the old owner is fenced."""
    topic, group, name = await new_topic(broker), fresh("group"), fresh("id")
    killed = new_producer(config(kafka_server), name)
    await killed.start()
    await killed.begin_transaction()
    await killed.send_and_wait(topic, b"half")
    await killed.send_offsets_to_transaction({TopicPartition(topic, 0): OffsetAndMetadata(9, "")}, group)
    lane = broker.lane(Partition(topic, 0), group, name)
    started = time.monotonic()
    assert await lane.open() is None
    assert time.monotonic() - started < 5
    await lane.commit([out(topic, b"whole")], 1)
    await lane.close()
    assert values(await read_all(broker, topic, at_least=1)) == [b"whole"]
    await killed.stop()


class LateCluster(Cluster):
    """Before it tells a committed offset, the old owner of the lane commits once more, if it still can."""

    old: KafkaLane
    told = ""

    async def committed(self, group: str, partition: Partition) -> Resume | None:
        try:
            await self.old.commit([out(partition.topic, b"late")], 5)
        except LaneLost as error:
            self.told = str(error)
        return await super().committed(group, partition)


async def test_the_old_owner_is_fenced_before_its_offset_is_read(
    kafka_server: KafkaServer, broker: KafkaBroker
) -> None:
    """Trap 3: else what it commits in between is read again by the new owner."""
    topic, group, name = await new_topic(broker), fresh("group"), fresh("id")
    cluster = LateCluster(config(kafka_server))
    cluster.old = KafkaLane(config(kafka_server), cluster, Partition(topic, 0), group, name)
    cluster.old._cluster = Cluster(config(kafka_server))
    await cluster.old.open()
    await cluster.old.commit([out(topic, b"in time")], 1)
    new = KafkaLane(config(kafka_server), cluster, Partition(topic, 0), group, name)
    resume = await new.open()
    assert cluster.told
    assert resume == Resume(1)
    await new.commit([out(topic, b"next")], 2)
    assert values(await read_all(broker, topic, at_least=2)) == [b"in time", b"next"]
    for one in (new, cluster.old):
        await one.close()
    await cluster.old._cluster.close()
    await cluster.close()


@contextmanager
def frozen(server: KafkaServer) -> Iterator[None]:
    """The broker stands still, with its connections open."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


async def test_a_broker_that_stands_still_loses_the_lane_in_time(
    kafka_server: KafkaServer, broker: KafkaBroker
) -> None:
    """Trap 4: none of the transaction's calls has a time-out of its own."""
    topic, group, name = await new_topic(broker), fresh("group"), fresh("id")
    hasty = KafkaBroker(config(kafka_server, transaction_call_timeout_ms=600))
    lane, other = (hasty.lane(Partition(topic, 0), group, name) for _ in range(2))
    await lane.open()
    await lane.commit([out(topic, b"1")], 1)
    with frozen(kafka_server):
        started = time.monotonic()
        with pytest.raises(LaneLost, match="no answer in 600 ms"):
            await lane.commit([out(topic, b"2")], 2)
        with pytest.raises(LaneLost):
            await other.open()
        with pytest.raises(LaneLost):
            await lane.commit([], 2)
        assert time.monotonic() - started < 3
        await asyncio.gather(lane.close(), other.close())
        assert time.monotonic() - started < 8
    successor = broker.lane(Partition(topic, 0), group, name)
    resumed = await successor.open()
    assert resumed == Resume(1)
    await successor.commit([out(topic, b"2 again")], 2)
    await successor.close()
    assert values(await read_all(broker, topic, at_least=2)) == [b"1", b"2 again"]
    await hasty.close()


async def test_a_broker_that_is_silent_about_a_topic_does_not_say_that_there_is_none(
    kafka_server: KafkaServer, broker: KafkaBroker
) -> None:
    """Else a slow broker would end the daemon with a mistake that the operator did not make."""
    topic, other = await new_topic(broker), await new_topic(broker)
    lane = broker.lane(Partition(topic, 0), fresh("group"), fresh("id"))
    await lane.open()
    with frozen(kafka_server), pytest.raises(LaneLost):
        await lane.commit([out(other, b"1")], 1)
    await lane.close()


# Groups


async def test_poll_keeps_its_time_while_another_member_drains(broker: KafkaBroker) -> None:
    topic, group = await new_topic(broker, 2), fresh("group")
    draining = asyncio.Event()

    async def drain(_: frozenset[Partition]) -> None:
        draining.set()
        await asyncio.sleep(0.5)

    async with member(broker, group, topic) as one:
        one.on_revoked = drain
        joining = asyncio.create_task(_join(broker, group, topic))
        longest = 0.0
        while not joining.done():
            started = time.monotonic()
            await one.source.poll(10, 50)
            longest = max(longest, time.monotonic() - started)
        await joining
        assert draining.is_set()
        assert longest < 0.4


async def _join(broker: KafkaBroker, group: str, topic: str) -> None:
    async with member(broker, group, topic) as other:
        await until(lambda: len(other.source.assigned()) == 1)


# What is asked of the broker while nothing fails


async def test_the_broker_gathers_records_while_some_come_and_tells_the_first_at_once(broker: KafkaBroker) -> None:
    topic = await new_topic(broker)
    async with member(broker, fresh("group"), topic) as one:
        await publish(broker, out(topic, b"a"))
        await one.take(1)
        fetcher = broker._members[one.source._group]._started()._fetcher  # type: ignore[attr-defined]
        assert (fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms) == (GATHER_BYTES, GATHER_MS)
        assert await one.source.poll(10, 50) == {}
        assert (fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms) == (IDLE_BYTES, IDLE_MS)
