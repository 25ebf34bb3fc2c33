"""The state log over aiokafka: what a compacted partition holds, read once, by the lane that has just fenced it.

    read(partition) ─► its end ─► records up to there, the last value of each key ─► StateRead(records, count, end)

The end is the last stable offset. Only the lane of a partition writes to it, and whoever reads has fenced that lane's
old owner: what he left open is aborted, so the last stable offset is the end of all that was committed.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, errors
from aiokafka.structs import TopicPartition

from riskstream.core.errors import LaneLost, RiskstreamError
from riskstream.core.ports import StateRead
from riskstream.kafka.cluster import Cluster
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.connect import Failure, quiet, told
from riskstream.kafka.fetching import arrival, new_consumer

RECORDS_MAX = 2_000
"""Records taken at a time: about 10 ms of the event loop, which other lanes and the heartbeats share."""
STALL_S_MAX = 10.0
"""A log that gives nothing for so long has lost its broker."""

_Lasting = (
    errors.TopicAuthorizationFailedError,
    errors.UnknownTopicOrPartitionError,
    errors.SaslAuthenticationFailed,
    errors.AuthenticationFailedError,
)
"""What will not be better when the lane is opened again: the operator must act."""


class KafkaStateLog:
    """A `StateLog` over aiokafka. Each call of `read` has a connection of its own while it lasts."""

    def __init__(self, config: KafkaConfig, cluster: Cluster, topic: str) -> None:
        self._config, self._cluster, self._topic = config, cluster, topic

    async def read(self, partition: int, known_end: int | None = None) -> StateRead | None:
        """All that the partition holds up to its last stable offset as it is now; None where that is `known_end`.

        Raises LaneLost where the broker is silent, OperatorError for a missing right or topic.
        """
        await self._cluster.require([self._topic])
        tp = TopicPartition(self._topic, partition)
        consumer = new_consumer(self._config)
        consumer.assign([tp])
        try:
            with quiet():
                async with asyncio.timeout(self._config.connect_timeout_ms / 1000):
                    await consumer.start()
            begin = int((await consumer.beginning_offsets([tp]))[tp])
            end = int((await consumer.end_offsets([tp]))[tp])
            return None if end == known_end else await self._read(consumer, tp, begin, end)
        except _Lasting as error:
            raise told(self._config, error) from error
        except RiskstreamError:
            raise
        except Failure as error:
            raise LaneLost(f"state of {self._topic}/{partition}: {type(error).__name__}: {error}") from error
        finally:
            with quiet():
                await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer, tp: TopicPartition, begin: int, end: int) -> StateRead:
        consumer.seek(tp, begin)
        records: dict[bytes, bytes] = {}
        count, position = 0, begin
        while position < end:
            async with asyncio.timeout(STALL_S_MAX):
                while not (taken := (await consumer.getmany(max_records=RECORDS_MAX)).get(tp, ())):
                    position = int(await consumer.position(tp))  # past markers and aborted records, which never come
                    if position >= end:
                        break
                    await arrival(consumer, 0.1)
            for record in taken:
                key = record.key or b""
                records.pop(key, None)  # the order is that of the last write
                if record.value is not None:
                    records[key] = record.value
            count += len(taken)
            position = int(await consumer.position(tp))
            await asyncio.sleep(0)
        return StateRead(records, count, end)
