"""Each kind of broker in turn, for the tests that hold both to the same promises."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from riskstream.core.ports import Broker
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.memory import MemoryBroker


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.broker)])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """Each kind of broker in turn."""
    if request.param == "memory":
        clock = iter(range(1_700_000_000_000, 1_800_000_000_000))
        yield MemoryBroker(lambda: next(clock))
        return
    server = request.getfixturevalue("kafka_server")
    real = KafkaBroker(KafkaConfig(bootstrap_servers=server.bootstrap_servers, heartbeat_interval_ms=200))
    yield real
    await real.close()
