"""The real broker: Apache Kafka through aiokafka. Nothing of that client leaves this room.

KafkaBroker ─► source.py      a member of a group
            ─► lane.py        a transactional producer      ┐
            ─► plain.py       the same without transactions │ writing.py
            ─► publisher.py   a plain producer              ┘
            ─► state.py       what a lane keeps       ┐
            ─► reader.py      a topic without a group ┘        fetching.py (with source.py)
            ─► cluster.py     topics, committed offsets       connect.py (errors in the operator's words)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from riskstream.core.ports import TopicInfo
from riskstream.core.records import Partition
from riskstream.kafka.cluster import Cluster
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.lane import KafkaLane
from riskstream.kafka.plain import KafkaPlainLane
from riskstream.kafka.publisher import KafkaPublisher
from riskstream.kafka.reader import KafkaReader
from riskstream.kafka.source import KafkaSource
from riskstream.kafka.state import KafkaStateLog


class KafkaBroker:
    """A `Broker` over aiokafka. Made inside the event loop that uses it; connects when first asked."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._cluster = Cluster(config)
        self._members: dict[str, KafkaSource] = {}

    def source(self, group: str, topics: Sequence[str]) -> KafkaSource:
        """A new member of `group` that reads `topics`."""
        member = self._members[group] = KafkaSource(self._config, self._cluster, group, topics)
        return member

    def lane(self, partition: Partition, group: str, transactional_id: str) -> KafkaLane | KafkaPlainLane:
        """The lane of an input partition, not yet open. Without transactions it commits through our newest member of
        the group."""
        if not self._config.transactions:
            return KafkaPlainLane(self._config, self._cluster, partition, group, self._members.get(group))
        return KafkaLane(self._config, self._cluster, partition, group, transactional_id)

    def state(self, topic: str) -> KafkaStateLog:
        """The state log in a topic."""
        return KafkaStateLog(self._config, self._cluster, topic)

    def reader(self, topic: str) -> KafkaReader:
        """A reader of one topic."""
        return KafkaReader(self._config, self._cluster, topic)

    async def topic_ids(self, topics: Sequence[str]) -> Mapping[str, str]:
        """The id of each of these topics that is there. Raises OperatorError, BrokerUnreachable among them."""
        return await self._cluster.topic_ids(topics)

    async def members(self, group: str) -> int:
        """How many members a consumer group has now. Raises as above."""
        return await self._cluster.members(group)

    async def publisher(self) -> KafkaPublisher:
        """A started publisher. Raises OperatorError."""
        publisher = KafkaPublisher(self._config)
        await publisher.start()
        return publisher

    async def topics(self) -> Mapping[str, TopicInfo]:
        """The topics that there are. Raises OperatorError where the broker cannot be reached or refuses us."""
        return await self._cluster.topics()

    async def create_topics(self, topics: Sequence[TopicInfo]) -> None:
        """Create what is missing; existing topics are left as they are. Raises OperatorError."""
        await self._cluster.create(topics)

    async def close(self) -> None:
        """Let go of the shared connection. Sources, lanes and publishers are closed by who holds them."""
        await self._cluster.close()
