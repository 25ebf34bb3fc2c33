"""A lane for a broker without transactions: results first, then the offset (`kafka.delivery = "at_least_once"`).

    new ──open──► open ──commit: what others read ─► what the lane keeps ─► the offset──► open     close ──► closed
                   │ any error after the first byte
                   ▼
                  lost: the producer is thrown away, LaneLost; the records come again to the next owner

Rule 1. Everything is acknowledged before the offset is committed: what a failure leaves behind comes twice, never not
        at all.
Rule 2. What a lane keeps for itself, records with a partition of their own, is written after what others read: an alert
        may come again with the same id and sequence, but no state tells of an alert that nobody got.
Rule 3. The offset is committed by the member of the group that owns the partition, in its generation: that of an owner
        who has lost it is refused. Nothing fences his producer, so what he writes late is there twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata

from riskstream.core.errors import InternalError, LaneLost, RiskstreamError
from riskstream.core.ports import Ends, Resume
from riskstream.core.records import Output, Partition
from riskstream.kafka.cluster import Cluster
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.connect import quiet
from riskstream.kafka.fetching import new_consumer, theirs
from riskstream.kafka.lane import fail
from riskstream.kafka.outputs import check_sizes
from riskstream.kafka.source import KafkaSource
from riskstream.kafka.writing import discard, new_producer, place, write


class KafkaPlainLane:
    """A `Lane` over aiokafka without transactions. `member` is ours in the group; None: the group is empty."""

    def __init__(
        self, config: KafkaConfig, cluster: Cluster, partition: Partition, group: str, member: KafkaSource | None
    ) -> None:
        self._config, self._cluster, self._member = config, cluster, member
        self._partition, self._group = partition, group
        self._name = f"{group} {partition.topic}/{partition.partition}"
        self._producer: AIOKafkaProducer | None = None
        self._discarding: list[asyncio.Task[None]] = []

    async def open(self) -> Resume | None:
        """The committed position, or None where the group never committed here. Fences nobody.

        Raises LaneLost where the broker cannot be reached in time, OperatorError for missing rights.
        """
        if self._producer is not None:
            raise InternalError(f"lane {self._name} is open already")
        producer = new_producer(self._config)
        try:
            async with asyncio.timeout(self._config.transaction_call_timeout_ms / 1000):
                with quiet():
                    await producer.start()
                resume = await self._cluster.committed(self._group, self._partition)
        except BaseException as error:
            self._throw_away(producer)
            fail(self._config, self._name, error)
        self._producer = producer
        return resume

    async def commit(self, outputs: Sequence[Output], next_offset: int, metadata: str = "") -> Ends:
        """All `outputs`, then the input offset. Given back is where each partition that was written to ends now.

        Raises LaneLost; then some of it may have been written, and comes again. An OperatorError that is raised before
        anything is sent leaves the lane open.
        """
        producer = self._producer
        if producer is None:
            raise LaneLost(f"lane {self._name} is not open")
        check_sizes(outputs, self._config.message_bytes_max)
        ends: dict[Partition, int] = {}
        begun = False
        try:
            async with asyncio.timeout(self._config.transaction_call_timeout_ms / 1000):
                places = await place(producer, outputs)
                begun = True
                for kept in (False, True):
                    mine = [at for at, output in enumerate(outputs) if (output.partition is not None) is kept]
                    ends |= await write(producer, [outputs[at] for at in mine], [places[at] for at in mine])
                await self._commit_offset(OffsetAndMetadata(next_offset, metadata))
            return ends
        except BaseException as error:
            if begun or not isinstance(error, RiskstreamError):
                self._throw_away(producer)
            fail(self._config, self._name, error)

    async def close(self) -> None:
        """Let go of the producer. Never raises."""
        if self._producer is not None:
            self._throw_away(self._producer)
        if self._discarding:
            await asyncio.wait(self._discarding)

    async def _commit_offset(self, offset: OffsetAndMetadata) -> None:
        if self._member is not None:
            await self._member.commit(self._partition, offset)
            return
        consumer = new_consumer(self._config, group_id=self._group)
        consumer.assign([theirs(self._partition)])
        try:
            await consumer.start()
            await consumer.commit({theirs(self._partition): offset})
        finally:
            await consumer.stop()

    def _throw_away(self, producer: AIOKafkaProducer) -> None:
        self._producer = None
        self._discarding.append(asyncio.create_task(discard(producer)))
