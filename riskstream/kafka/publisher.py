"""Plain writes, each acknowledged by all replicas: feeds from files, and what needs no transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from riskstream.core.records import Output
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.connect import Failure, reason, start
from riskstream.kafka.outputs import check_sizes
from riskstream.kafka.writing import discard, new_producer, place, write


class KafkaPublisher:
    """A `Publisher` over aiokafka: an idempotent producer, made anew after a failure (notes: trap 12)."""

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connect. Raises OperatorError."""
        await self._started()

    async def send(self, outputs: Sequence[Output]) -> None:
        """Write them all, in order per partition; returns when all are acknowledged.

        Raises OperatorError. What was refused for its size or its topic has written nothing; after another failure
        some records may have been written, and a second `send` writes them again.
        """
        check_sizes(outputs, self._config.message_bytes_max)
        producer = await self._started()
        try:
            async with asyncio.timeout(2 * self._config.request_timeout_ms / 1000):
                await write(producer, outputs, await place(producer, outputs))
        except Failure as error:
            self._producer = None
            await discard(producer)
            raise await reason(self._config, error) from error

    async def close(self) -> None:
        """Let go of the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await discard(producer)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = new_producer(self._config)
                try:
                    await start(self._config, producer)
                except BaseException:
                    await discard(producer)
                    raise
                self._producer = producer
            return self._producer
