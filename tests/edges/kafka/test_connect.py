"""What the client raises, in the operator's words: who may ask again later, and who must act."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import errors

from riskstream.core.errors import BrokerUnreachable, InternalError, OperatorError, RiskstreamError, UnknownTopic
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.connect import told


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.NodeNotReadyError(), BrokerUnreachable),
        (errors.KafkaConnectionError(), BrokerUnreachable),
        (errors.RequestTimedOutError(), BrokerUnreachable),
        (errors.KafkaTimeoutError(), BrokerUnreachable),
        (errors.NotLeaderForPartitionError(), BrokerUnreachable),
        (errors.KafkaStorageError(), BrokerUnreachable),
        (ConnectionRefusedError(111, "refused"), BrokerUnreachable),
        (TimeoutError(), BrokerUnreachable),
        (errors.UnknownTopicOrPartitionError("feed"), UnknownTopic),
        (errors.TopicAuthorizationFailedError("feed"), OperatorError),
        (errors.SaslAuthenticationFailed(), OperatorError),
        (errors.UnknownError(), InternalError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_what_the_broker_may_mend_by_itself_is_waited_for(error: Exception, kind: type[RiskstreamError]) -> None:
    assert type(told(KafkaConfig(), error)) is kind


async def test_a_proxy_without_its_broker_hangs_up_and_may_have_it_back_later() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    broker = KafkaBroker(KafkaConfig(bootstrap_servers=f"127.0.0.1:{port}", connect_timeout_ms=500))
    with pytest.raises(BrokerUnreachable, match=r"kafka\.security_protocol.*connects and then closes"):
        await broker.topics()
    await broker.close()
    server.close()
