"""Questions to the cluster while one of its brokers is away: another one has the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from aiokafka.structs import BrokerMetadata

from dev.kafka.serve import free_port
from riskstream.core.errors import BrokerUnreachable
from riskstream.core.records import Partition
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.cluster import Cluster
from riskstream.kafka.config import KafkaConfig
from tests.support.brokers import fresh, new_topic

if TYPE_CHECKING:
    from dev.kafka.serve import KafkaServer

pytestmark = pytest.mark.broker


@pytest.fixture
async def cluster(kafka_server: KafkaServer) -> AsyncIterator[Cluster]:
    asked = Cluster(KafkaConfig(bootstrap_servers=kafka_server.bootstrap_servers))
    yield asked
    await asked.close()


@pytest.fixture
async def topic(kafka_server: KafkaServer) -> AsyncIterator[str]:
    broker = KafkaBroker(KafkaConfig(bootstrap_servers=kafka_server.bootstrap_servers))
    yield await new_topic(broker)
    await broker.close()


async def know_only_the_dead(cluster: Cluster) -> None:
    """The client knows one broker, and nobody listens there."""
    dead = BrokerMetadata(99, "127.0.0.1", free_port(), None)
    (await cluster._connected())._client.cluster._brokers = {99: dead}


async def test_a_broker_that_has_died_is_not_all_of_them(cluster: Cluster, topic: str) -> None:
    """Else one death of three would end the memberships of stages that have nothing to do with it."""
    await know_only_the_dead(cluster)
    assert list(await cluster.topic_ids([topic])) == [topic]


async def test_a_committed_offset_is_asked_for_again(cluster: Cluster, topic: str) -> None:
    await know_only_the_dead(cluster)
    async with asyncio.timeout(8):
        assert await cluster.committed(fresh("group"), Partition(topic, 0)) is None


async def test_who_throws_the_client_away_ends_nobody_elses_question(cluster: Cluster, topic: str) -> None:
    for _ in range(5):
        await know_only_the_dead(cluster)
        questions = (cluster.topic_ids([topic]), cluster.partitions(topic), cluster.members(fresh("group")))
        assert [bool(answer) for answer in await asyncio.gather(*questions)] == [True, True, False]


async def test_where_all_are_away_it_is_said_after_the_first_question() -> None:
    cluster = Cluster(KafkaConfig(bootstrap_servers=f"127.0.0.1:{free_port()}"))
    with pytest.raises(BrokerUnreachable, match="no broker can be reached"):
        await cluster.topic_ids(["feed"])
