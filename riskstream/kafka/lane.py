"""One input partition's transactional producer: results and offset in one transaction, or neither.

    new ──open──► open ──commit──► open          close ──► closed
                   │ any error once a transaction has begun
                   ▼
                  lost: the producer is thrown away, LaneLost; only a new lane goes on

Rule 1. `open` starts the producer, which fences the old owner and aborts what it left open, and only then reads the
        committed offset: an offset fetch is not transaction-stable (notes: trap 3).
Rule 2. Every batch's future is awaited before the offsets are sent (trap 1), see writing.py.
Rule 3. One deadline stands around all calls of a transaction; none of them has one of its own (trap 4).
Rule 4. A transaction is aborted only after a definite refusal. After anything else the outcome is unknown, and the
        producer is not used again, not even to abort: the broker or the next owner does that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from aiokafka import AIOKafkaProducer, errors
from aiokafka.structs import OffsetAndMetadata

from riskstream.core.errors import InternalError, LaneLost, OperatorError, RiskstreamError
from riskstream.core.ports import Ends, Resume
from riskstream.core.records import Output, Partition
from riskstream.kafka.cluster import Cluster
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.connect import Failure, quiet, told
from riskstream.kafka.fetching import theirs
from riskstream.kafka.outputs import check_sizes
from riskstream.kafka.writing import discard, new_producer, place, seen, write

ABORT_S_MAX = 2.0
MARKER = 1
"""A transaction's marker takes one offset in each partition that it wrote to."""
METADATA_BYTES_MAX = 4_096
"""The broker's own default limit (`offset.metadata.max.bytes`)."""

_Definite = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
)
"""The broker has said no, and has not written: the transaction can be aborted in good order."""


class KafkaLane:
    """A `Lane` over aiokafka."""

    def __init__(
        self, config: KafkaConfig, cluster: Cluster, partition: Partition, group: str, transactional_id: str
    ) -> None:
        self._config, self._cluster = config, cluster
        self._partition, self._group, self._id = partition, group, transactional_id
        self._producer: AIOKafkaProducer | None = None
        self._discarding: list[asyncio.Task[None]] = []
        self._why = "it is not open"

    async def open(self) -> Resume | None:
        """Fence the old owner; return the committed position, or None where the group never committed here.

        Raises LaneLost where the broker cannot be reached in time, OperatorError for missing rights.
        """
        if self._producer is not None:
            raise InternalError(f"lane {self._id} is open already")
        producer = new_producer(self._config, self._id)
        try:
            async with asyncio.timeout(self._config.transaction_call_timeout_ms / 1000):
                with quiet():
                    await producer.start()
                resume = await self._cluster.committed(self._group, self._partition)
        except BaseException as error:
            self._throw_away(producer, "it did not open")
            fail(self._config, self._id, error)
        self._producer = producer
        return resume

    async def commit(self, outputs: Sequence[Output], next_offset: int, metadata: str = "") -> Ends:
        """One transaction: all `outputs` and the input offset. Given back is where each partition that was written to
        ends now. Raises `LaneLost`; then nothing of it is committed unless the commit itself was in flight. Readers
        see it a moment after the return (the broker's markers).

        An OperatorError that is raised before anything is sent (a record too large, an unknown topic) leaves the lane
        open. One that the broker raises (a limit of the topic, a missing right) commits nothing and loses the lane.
        """
        producer = self._producer
        if producer is None:
            raise LaneLost(f"lane {self._id}: {self._why}")
        check_sizes(outputs, self._config.message_bytes_max)
        if len(metadata.encode()) > METADATA_BYTES_MAX:
            raise InternalError(f"lane {self._id}: metadata above {METADATA_BYTES_MAX} bytes")
        begun = False
        try:
            async with asyncio.timeout(self._config.transaction_call_timeout_ms / 1000):
                places = await place(producer, outputs)
                begun = True
                await producer.begin_transaction()
                ends = await write(producer, outputs, places)
                offsets = {theirs(self._partition): OffsetAndMetadata(next_offset, metadata)}
                await producer.send_offsets_to_transaction(offsets, self._group)
                await producer.commit_transaction()
            return {partition: end + MARKER for partition, end in ends.items()}
        except _Definite as error:
            await self._abort(producer)
            self._throw_away(producer, "the broker refused its transaction")
            fail(self._config, self._id, error)
        except BaseException as error:
            if begun or not isinstance(error, RiskstreamError):
                self._throw_away(producer, "its last transaction failed")
            fail(self._config, self._id, error)

    async def close(self) -> None:
        """Let go of the producer. Never raises."""
        if self._producer is not None:
            self._throw_away(self._producer, "it is closed")
        if self._discarding:
            await asyncio.wait(self._discarding)

    async def _abort(self, producer: AIOKafkaProducer) -> None:
        """Readers of the topic need not wait for the broker's own time-out. Where it fails, they do."""
        with quiet():
            task = asyncio.ensure_future(producer.abort_transaction())
            task.add_done_callback(seen)
            await asyncio.wait([task], timeout=ABORT_S_MAX)
            task.cancel()

    def _throw_away(self, producer: AIOKafkaProducer, why: str) -> None:
        self._producer, self._why = None, why
        self._discarding.append(asyncio.create_task(discard(producer)))


def fail(config: KafkaConfig, lane: str, error: BaseException) -> NoReturn:
    """Raise our exception for what befell a lane."""
    known = meaning(config, lane, error)
    raise known from None if known is error else error


def meaning(config: KafkaConfig, lane: str, error: BaseException) -> BaseException:
    """Our exception for what befell a lane; what is none of the broker's business stays as it is."""
    match error:
        case RiskstreamError():
            return error
        case errors.MessageSizeTooLargeError() | errors.RecordListTooLargeError():
            return OperatorError(
                "kafka.message_bytes_max",
                config.message_bytes_max,
                f"lane {lane}: the broker refuses a record as too large for its topic",
                "lower it below max.message.bytes of every topic that is written to",
            )
        case (
            errors.TopicAuthorizationFailedError()
            | errors.GroupAuthorizationFailedError()
            | errors.TransactionalIdAuthorizationFailed()
            | errors.InvalidTransactionTimeout()
            | errors.SaslAuthenticationFailed()
        ):
            return told(config, error)
        case TimeoutError():
            return LaneLost(f"lane {lane}: no answer in {config.transaction_call_timeout_ms} ms")
        case _ if isinstance(error, (*Failure, errors.IllegalOperation)):
            return LaneLost(f"lane {lane}: {type(error).__name__}: {error}")
        case _:
            return error
