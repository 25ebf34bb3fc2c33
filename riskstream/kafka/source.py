"""A member of a consumer group, over aiokafka.

    start ─► joining ─► on_assigned(share) ─► polling ──rebalance──► on_revoked(share) ─► joining …
                                                 └──stop──► on_revoked(share) ─► left

Rule 1. The client fetches before it tells of an assignment. So the first thing in the listener, before any await, is to
        pause every partition and to give it a position: nothing is delivered before `resume`, and the client looks up
        no offset of its own. Whoever resumes has sought before.
Rule 2. The client swallows what a listener raises. It is kept here, and raised by every later `poll`.
Rule 3. `on_assigned` runs while no heartbeats are sent: it must return well within the session timeout, so lanes are
        opened in tasks of their own. During `on_revoked` heartbeats go on, up to the rebalance timeout.
Rule 4. `stop` calls `on_revoked` for what is still owned, while the member is still in the group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, errors
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from riskstream.core.errors import InternalError, LaneLost
from riskstream.core.gaps import Bounds
from riskstream.core.ports import Callback, Partitions, Start
from riskstream.core.records import Message, Partition
from riskstream.kafka.cluster import Cluster
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.connect import Failure, quiet, start, told
from riskstream.kafka.errors import OffsetGone
from riskstream.kafka.fetching import arrival, gather, new_consumer, ours, take, theirs
from riskstream.kafka.writing import seen

STOP_S_MAX = 10.0


class KafkaSource:
    """A `Source` over aiokafka."""

    def __init__(self, config: KafkaConfig, cluster: Cluster, group: str, topics: Sequence[str]) -> None:
        self._config, self._cluster = config, cluster
        self._group, self._topics = group, tuple(topics)
        self._consumer: AIOKafkaConsumer | None = None
        self._owned: Partitions = frozenset()
        self._to_revoke: Partitions = frozenset()
        self._error: Exception | None = None
        self._rebalancing = True
        self._stopping = False
        self._changed: asyncio.Future[None] | None = None

    async def start(self, on_assigned: Callback, on_revoked: Callback) -> None:
        """Join the group. Every partition is paused when `on_assigned` is called; `resume` starts it.

        Returns when the group has given a share, while `on_assigned` may still run. Raises OperatorError, UnknownTopic
        among them.
        """
        await self._cluster.require(self._topics)
        consumer = new_consumer(
            self._config,
            group_id=self._group,
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=self._config.session_timeout_ms,
            heartbeat_interval_ms=self._config.heartbeat_interval_ms,
            rebalance_timeout_ms=self._config.rebalance_timeout_ms,
            max_poll_interval_ms=self._config.max_poll_interval_ms,
        )
        self._consumer = consumer
        consumer.subscribe(self._topics, listener=_Listener(self, on_assigned, on_revoked))
        self._on_revoked = on_revoked
        # A join waits until every other member has come back from its `on_revoked`.
        patience_ms = self._config.rebalance_timeout_ms + self._config.session_timeout_ms
        await start(self._config, consumer, self._config.connect_timeout_ms + patience_ms)

    async def poll(self, records_max: int, timeout_ms: int) -> Mapping[Partition, Sequence[Message]]:
        """Messages of resumed partitions in offset order; empty after `timeout_ms`, also in a rebalance.

        Raises what a callback raised; OffsetGone; OperatorError for missing rights.
        """
        consumer = self._started()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_ms / 1000
        await asyncio.sleep(0)
        while True:
            if self._error is not None:
                raise self._error
            try:
                # Inside a rebalance the client's own call would wait until it is over.
                if not self._rebalancing and (taken := await take(consumer, records_max)):
                    gather(consumer, busy=True)
                    return taken
                if (left := deadline - loop.time()) <= 0:
                    gather(consumer, busy=False)
                    return {}
                self._changed = loop.create_future()
                await arrival(consumer, left, self._changed)
            except errors.OffsetOutOfRangeError as error:
                raise self._gone(error) from error
            except errors.KafkaError as error:
                raise told(self._config, error) from error

    def seek(self, partition: Partition, offset: int) -> None:
        """The next message of this partition is the one at `offset`. Raises LaneLost where it is not assigned."""
        if offset < 0:
            raise InternalError(f"cannot seek {partition} to {offset}")
        if not self._holds(partition):
            raise LaneLost(f"{partition} is not assigned to this member")
        self._started().seek(theirs(partition), offset)

    def pause(self, partitions: Partitions) -> None:
        """Deliver nothing of these until they are resumed; what is not assigned is passed over."""
        self._started().pause(*(theirs(partition) for partition in partitions if self._holds(partition)))

    def resume(self, partitions: Partitions) -> None:
        """Deliver these again; what is not assigned is passed over."""
        held = [theirs(partition) for partition in partitions if self._holds(partition)]
        for partition in held:
            state = self._started()._subscription.subscription.assignment.state_value(partition)
            if state.paused:
                state.lso = None  # as of before the pause: `lag` waits for the next fetch
        self._started().resume(*held)

    def assigned(self) -> Partitions:
        """What this member owns now."""
        return self._owned

    async def start_offset(self, partition: Partition, start: Start) -> int:
        """The offset at which a partition that never committed begins. Raises LaneLost where the broker is silent."""
        if start.at_ms is not None:
            return await self.offset_at(partition, start.at_ms)
        if start.where != "earliest":
            return await self.end_offset(partition)
        try:
            return int((await self._started().beginning_offsets([theirs(partition)]))[theirs(partition)])
        except Failure as error:
            raise self._silent(partition, error) from error

    async def end_offset(self, partition: Partition) -> int:
        """The last stable offset: what a committed reader can read up to, exclusive. Raises LaneLost as above."""
        try:
            return int((await self._started().end_offsets([theirs(partition)]))[theirs(partition)])
        except Failure as error:
            raise self._silent(partition, error) from error

    async def offset_at(self, partition: Partition, at_ms: int) -> int:
        """The first offset with a timestamp at or after `at_ms`; the end if there is none. Raises LaneLost as above."""
        try:
            found = await self._started().offsets_for_times({theirs(partition): max(0, at_ms)})
        except Failure as error:
            raise self._silent(partition, error) from error
        there = found[theirs(partition)]
        return await self.end_offset(partition) if there is None else int(there.offset)

    async def bounds(self, partition: Partition) -> Bounds:
        """What the broker holds of a partition, up to the last stable offset. Raises LaneLost as above."""
        return Bounds(await self.start_offset(partition, Start("earliest")), await self.end_offset(partition))

    def position(self, partition: Partition) -> int | None:
        """The offset of what is delivered next; None where it is not assigned."""
        if not self._holds(partition):
            return None
        return int(self._started()._subscription.subscription.assignment.state_value(theirs(partition)).position)

    def lag(self, partition: Partition) -> int | None:
        """Records between the position and the last stable offset, as of the last fetch; None before the first."""
        if not self._holds(partition):
            return None
        state = self._started()._subscription.subscription.assignment.state_value(theirs(partition))
        return None if state.paused or state.lso is None else max(0, state.lso - state.position)

    async def confirm(self, partition: Partition) -> bool:
        """Ask the group now: True only where a heartbeat sent after this call is acknowledged, in the generation that
        gave us this partition, and it is still ours. What a lane that lost its producer needs to open again."""
        coordinator = self._started()._coordinator
        owned, generation, member = self._owned, coordinator.generation, coordinator.member_id
        with quiet():
            try:
                alive = await coordinator._do_heartbeat()
            except errors.KafkaError:
                return False  # whatever the reason, it is not acknowledged
        same = owned is self._owned and generation == coordinator.generation and member == coordinator.member_id
        return (
            bool(alive)
            and same
            and not self._rebalancing
            and not coordinator._rejoin_needed_fut.done()
            and partition in owned
        )

    async def commit(self, partition: Partition, offset: OffsetAndMetadata) -> None:
        """The group's offset of a partition, in the generation that gave it to us; for lanes without transactions.
        Raises the client's errors: CommitFailedError where it is not ours any more."""
        with quiet():
            await self._started().commit({theirs(partition): offset})

    async def stop(self) -> None:
        """Leave the group; `on_revoked` is called for what was still owned."""
        consumer, self._stopping = self._consumer, True
        if consumer is None:
            return
        if self._to_revoke:
            await self.revoke(self._on_revoked)
        with quiet():
            task = asyncio.ensure_future(consumer.stop())
            task.add_done_callback(seen)
            await asyncio.wait([task], timeout=STOP_S_MAX)
            if not task.done():  # a join that hangs: the group will notice by the session timeout
                task.cancel()
                await consumer._client.close()

    async def assign(self, partitions: Partitions, callback: Callback) -> None:
        """For the listener: the group gives a share."""
        consumer = self._started()
        for partition in partitions:
            consumer.pause(theirs(partition))
            consumer.seek(theirs(partition), 0)
        self._owned = self._to_revoke = partitions
        self._rebalancing = False
        self._wake()
        if not self._stopping:
            await self._call(callback, partitions)

    async def revoke(self, callback: Callback) -> None:
        """For the listener: the group takes everything back."""
        self._rebalancing = True
        self.pause(self._owned)
        owned, self._to_revoke = self._to_revoke, frozenset()
        if owned:  # once for each share, also where `stop` comes in the middle of a rebalance
            await self._call(callback, owned)
        self._owned = frozenset()

    async def _call(self, callback: Callback, partitions: Partitions) -> None:
        try:
            await callback(partitions)
        except Exception as error:
            self._error = self._error or error
            self._wake()

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise InternalError("the source has not been started")
        return self._consumer

    def _holds(self, partition: Partition) -> bool:
        """Ours by the group's word, and by the client's, which forgets it a moment earlier."""
        return partition in self._owned and theirs(partition) in self._started().assignment()

    def _gone(self, error: errors.OffsetOutOfRangeError) -> OffsetGone:
        (tp, offset), *_ = error.args[0].items()
        self.pause(frozenset({ours(tp)}))
        return OffsetGone(ours(tp), offset)

    def _silent(self, partition: Partition, error: BaseException) -> Exception:
        known = told(self._config, error)
        if isinstance(error, errors.TopicAuthorizationFailedError):
            return known
        return LaneLost(f"the broker does not tell the offsets of {partition}: {known}")


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """The client calls it inside a rebalance. Nothing leaves it but to the source."""

    def __init__(self, source: KafkaSource, on_assigned: Callback, on_revoked: Callback) -> None:
        self._source, self._on_assigned, self._on_revoked = source, on_assigned, on_revoked

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        await self._source.assign(frozenset(map(ours, assigned)), self._on_assigned)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._source.revoke(self._on_revoked)
