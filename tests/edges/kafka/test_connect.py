"""What the client raises, in the operator's words: who may ask again later, and who must act."""

from __future__ import annotations

import pytest
from aiokafka import errors

from riskstream.core.errors import BrokerUnreachable, InternalError, OperatorError, RiskstreamError, UnknownTopic
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
