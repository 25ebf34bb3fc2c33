"""What is asked of the cluster as a whole: its topics, and where a group stands. One shared admin client.

    question ─► any broker ──answer──► given back
                    │ no answer: the client is thrown away, a new one starts at a broker that answers
                    └─► the same question again, `ASKS_MAX` times within one request time-out

Rule 1. The client asks a broker of its own choice, also one that has just died. So one failure says nothing about the
        cluster: BrokerUnreachable is raised where no broker lets us in, or where the asking again came to nothing.
Rule 2. Questions at the same time share the client. Who throws it away fails the others, and they ask again too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from riskstream.core.errors import BrokerUnreachable, InternalError, OperatorError
from riskstream.core.ports import Resume, TopicInfo
from riskstream.core.records import Partition
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.connect import Failure, start, told
from riskstream.kafka.identity import topic_ids
from riskstream.kafka.topics import fit, unknown_topic

RETRY_S = 0.05
ASKS_MAX = 6
"""With one broker of three away, a question finds it so often in a row once in 700."""
APPEAR_S_MAX = 10.0
"""A new topic is known to the controller first and to the brokers a moment later."""

T = TypeVar("T")


class Cluster:
    """Questions to the cluster. Connects at the first one, and anew after a failure."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._admin: AIOKafkaAdminClient | None = None
        self._starting = asyncio.Lock()

    async def topics(self) -> dict[str, TopicInfo]:
        """The topics that this user sees, without Kafka's own. `config` is empty where it may not be read."""
        return await self._ask(self._topics)

    async def require(self, topics: Sequence[str]) -> None:
        """Raise UnknownTopic for the first that is not there."""
        for topic in topics:
            await self.partitions(topic)

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has. Raises UnknownTopic."""
        there = await self._ask(self._describe)
        if topic not in there:
            raise unknown_topic(topic)
        return len(there[topic]["partitions"])

    async def create(self, topics: Sequence[TopicInfo]) -> None:
        """Create what is missing, with as many replicas as wanted or as there are brokers, and wait until it is there.

        Raises OperatorError where the broker refuses.
        """
        await self._ask(lambda admin: self._create(admin, topics), asks_max=1)

    async def committed(self, group: str, partition: Partition) -> Resume | None:
        """The group's committed position, None where it never committed. Asks until the coordinator answers, so the
        caller sets the deadline. Raises the client's errors."""
        wanted = TopicPartition(partition.topic, partition.partition)
        while True:
            admin = await self._connected()
            try:
                found = await admin.list_consumer_group_offsets(group, partitions=[wanted])
            except errors.KafkaError as error:
                if not error.retriable:
                    raise
                if not isinstance(error, errors.BrokerResponseError):
                    await self._let_go(admin)
                found = {}
            # The admin client passes over an error of the whole request, such as a coordinator that still loads: then
            # the partition is not in the answer. Only an explicit -1 means that nothing was committed.
            if (position := found.get(wanted)) is not None:
                return None if position.offset < 0 else Resume(position.offset, position.metadata or "")
            await asyncio.sleep(RETRY_S)

    async def topic_ids(self, topics: Sequence[str]) -> Mapping[str, str]:
        """The ids of these topics, of those that are there. Raises OperatorError, BrokerUnreachable among them."""
        return await self._ask(lambda admin: topic_ids(admin, topics))

    async def members(self, group: str) -> int:
        """How many members a group has now; 0 for one that nobody knows. Raises as above."""
        return await self._ask(lambda admin: self._members(admin, group))

    async def close(self) -> None:
        """Let go of the connection."""
        if self._admin is not None:
            await self._let_go(self._admin)

    async def _let_go(self, useless: AIOKafkaAdminClient) -> None:
        """This client is of no use any more. Another that was started since is left alone."""
        admin = self._admin
        if admin is not None and admin is useless:
            self._admin = None
            await admin.close()

    async def _connected(self) -> AIOKafkaAdminClient:
        async with self._starting:
            if self._admin is None:
                admin = AIOKafkaAdminClient(**self._config.connection())
                try:
                    await start(self._config, admin)
                except BaseException:
                    await admin.close()
                    raise
                self._admin = admin
            return self._admin

    async def _ask(self, question: Callable[[AIOKafkaAdminClient], Awaitable[T]], asks_max: int = ASKS_MAX) -> T:
        """The answer to a question that may be asked again. One broker that is silent leaves time to ask another."""
        loop, within_s = asyncio.get_running_loop(), self._config.request_timeout_ms / 1000
        deadline = loop.time() + within_s
        for ask in range(1, asks_max + 1):
            admin = await self._connected()
            try:
                async with asyncio.timeout(within_s / min(asks_max, 2)):
                    return await question(admin)
            except Failure as error:
                await self._let_go(admin)
                known = told(self._config, error)
                if ask == asks_max or loop.time() >= deadline or not isinstance(known, BrokerUnreachable):
                    raise known from error
            await asyncio.sleep(RETRY_S)
        raise InternalError("a question is asked at least once")

    async def _describe(self, admin: AIOKafkaAdminClient) -> dict[str, dict[str, Any]]:
        return {
            topic["topic"]: topic
            for topic in await admin.describe_topics()
            if not topic["error_code"] and not topic["is_internal"]
        }

    async def _topics(self, admin: AIOKafkaAdminClient) -> dict[str, TopicInfo]:
        described = await self._describe(admin)
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name) for name in described]
        configs: dict[str, dict[str, str]] = {}
        for response in await admin.describe_configs(wanted) if wanted else ():
            for code, _, _, name, entries in response.resources:
                configs[name] = {} if code else {entry[0]: entry[1] for entry in entries if entry[1] is not None}
        return {
            name: TopicInfo(
                name,
                len(topic["partitions"]),
                min((len(partition["replicas"]) for partition in topic["partitions"]), default=0),
                configs.get(name, {}),
            )
            for name, topic in described.items()
        }

    async def _create(self, admin: AIOKafkaAdminClient, topics: Sequence[TopicInfo]) -> None:
        there = await self._describe(admin)
        missing = [topic for topic in topics if topic.name not in there]
        if not missing:
            return
        brokers = [broker["node_id"] for broker in (await admin.describe_cluster())["brokers"]]
        fitted = [fit(topic, len(brokers)) for topic in missing]
        response = await admin.create_topics(
            [NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=topic.config) for topic in fitted]
        )
        for name, code, *message in response.topic_errors:
            if code and errors.for_code(code) is not errors.TopicAlreadyExistsError:
                raise self._refused(name, code, message)
        async with asyncio.timeout(APPEAR_S_MAX):
            while not _ready(await self._describe(admin), fitted):  # noqa: ASYNC110 - the brokers tell nobody
                await asyncio.sleep(RETRY_S)
            for broker in brokers:  # each hears of it in its own time, and any may be asked next
                while not await _known(admin, [topic.name for topic in fitted], broker):  # noqa: ASYNC110
                    await asyncio.sleep(RETRY_S)

    async def _members(self, admin: AIOKafkaAdminClient, group: str) -> int:
        (answer,) = await admin.describe_consumer_groups([group])
        ((code, _, _, _, _, members, *_),) = answer.groups
        kind = errors.for_code(code)
        if code and kind is not errors.GroupIdNotFound:
            raise kind(group)
        return len(members)

    def _refused(self, name: str, code: int, message: Sequence[str | None]) -> Exception:
        kind = errors.for_code(code)
        if issubclass(kind, errors.TopicAuthorizationFailedError | errors.ClusterAuthorizationFailedError):
            return told(self._config, kind(name))
        problem = f"the broker will not create it: {(message[0] if message else None) or kind.__name__}"
        return OperatorError("topic", name, problem, "correct its name, partitions or settings")


async def _known(admin: AIOKafkaAdminClient, topics: Sequence[str], broker: int) -> bool:
    """Whether this broker knows them all."""
    try:
        return len(await topic_ids(admin, topics, broker)) == len(topics)
    except errors.LeaderNotAvailableError:
        return False


def _ready(there: Mapping[str, dict[str, Any]], topics: Sequence[TopicInfo]) -> bool:
    return all(
        topic.name in there
        and len(there[topic.name]["partitions"]) == topic.partitions
        and all(partition["leader"] >= 0 for partition in there[topic.name]["partitions"])
        for topic in topics
    )
