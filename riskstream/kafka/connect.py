"""Starting a client, and telling the operator why it does not start.

The client says only "unable to bootstrap" and logs the reason. So after a failed start one plain connection is made
to ask again, and what happens to it decides which setting the error names:

    no connection            kafka.bootstrap_servers
    refused password         kafka.sasl_password_file
    mechanism not offered    kafka.sasl_mechanism
    cut at the first request kafka.security_protocol
    bad certificate          kafka.ssl_cafile
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

from aiokafka import errors
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import collect_hosts, create_conn

from riskstream.core.errors import BrokerUnreachable, InternalError, OperatorError, RiskstreamError
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.topics import unknown_topic

ASK_AGAIN_S_MAX = 3.0
Failure = (errors.KafkaError, OSError, TimeoutError)
"""What a client raises where the broker, the network or the rights are at fault. TimeoutError is an OSError."""

_REFUSED = (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError)
_HIDDEN = "(not shown)"
_quiet = 0
_level = logging.NOTSET


class Startable(Protocol):
    """What the client's parts have in common."""

    async def start(self) -> None: ...


@contextmanager
def quiet() -> Iterator[None]:
    """The client's own log is silent while anyone is inside: what happens here we report ourselves, once."""
    global _quiet, _level
    log = logging.getLogger("aiokafka")
    if _quiet == 0:
        _level = log.level
        log.setLevel(logging.CRITICAL + 1)
    _quiet += 1
    try:
        yield
    finally:
        _quiet -= 1
        if _quiet == 0:
            log.setLevel(_level)


async def start(config: KafkaConfig, part: Startable, within_ms: int | None = None) -> None:
    """Start a client's part. Raises OperatorError that names the setting to mend; the caller stops the part."""
    with quiet():
        try:
            async with asyncio.timeout((within_ms or config.connect_timeout_ms) / 1000):
                await part.start()
        except Failure as error:
            raise await reason(config, error) from error


async def reason(config: KafkaConfig, error: BaseException) -> RiskstreamError:
    """What stands behind a failed start."""
    known = told(config, error)
    if not isinstance(known, InternalError | BrokerUnreachable):
        return known
    with quiet():
        return await _ask_again(config) or unreachable(config, "it does not answer in time")


async def _ask_again(config: KafkaConfig) -> RiskstreamError | None:
    arguments = config.connection()
    servers = arguments.pop("bootstrap_servers")
    within_s = _ask_again_s(config)
    last: RiskstreamError | None = None
    for host, port, _ in collect_hosts(servers):
        try:
            async with asyncio.timeout(within_s):
                connection = await create_conn(host, port, **arguments)
            connection.close()
        except _REFUSED:
            return _refused(config)
        except errors.UnsupportedSaslMechanismError as error:
            return _mechanism(config, error)
        except ssl.SSLError as error:
            return _certificate(config, error)
        except errors.KafkaConnectionError:  # it was there, and hung up: a listener of TLS on a plain greeting
            return _cut(config, f"{host}:{port}")
        except (errors.KafkaError, OSError) as error:
            last = unreachable(config, f"{host}:{port} gives {_words(error)}")
        else:
            async with _client(config) as client:
                return None if client else _cut(config, f"{host}:{port}")
    return last


def _ask_again_s(config: KafkaConfig) -> float:
    return min(ASK_AGAIN_S_MAX, config.connect_timeout_ms / 1000)


@asynccontextmanager
async def _client(config: KafkaConfig) -> AsyncIterator[AIOKafkaClient | None]:
    """A bare client, or None where the broker cuts it off at its first request."""
    client = AIOKafkaClient(**config.connection())
    try:
        async with asyncio.timeout(_ask_again_s(config)):
            await client.bootstrap()
        yield client
    except Failure:
        yield None
    finally:
        await client.close()


def told(config: KafkaConfig, error: BaseException) -> RiskstreamError:
    """Our exception for one of the client's. What nobody outside can mend is an InternalError."""
    match error:
        case RiskstreamError():
            return error
        case errors.TopicAuthorizationFailedError():
            return _forbidden(config, f"topic {_names(error)}", "READ, WRITE and DESCRIBE")
        case errors.GroupAuthorizationFailedError():
            return _forbidden(config, f"group {_names(error)}", "READ")
        case errors.TransactionalIdAuthorizationFailed():
            return _forbidden(config, f"transactional id {_names(error)}", "WRITE and DESCRIBE")
        case errors.ClusterAuthorizationFailedError():
            return _forbidden(config, "the cluster", "IDEMPOTENT_WRITE, CREATE and DESCRIBE")
        case errors.SaslAuthenticationFailed() | errors.AuthenticationFailedError():
            return _refused(config)
        case errors.UnsupportedSaslMechanismError():
            return _mechanism(config, error)
        case errors.UnknownTopicOrPartitionError():
            return unknown_topic(_names(error))
        case errors.InvalidTransactionTimeout():
            return _above(config.transaction_timeout_ms, "kafka.transaction_timeout_ms", "transaction.max.timeout.ms")
        case errors.InvalidSessionTimeoutError():
            return _above(config.session_timeout_ms, "kafka.session_timeout_ms", "group.max.session.timeout.ms")
        case errors.KafkaError(retriable=True) | errors.KafkaTimeoutError() | OSError():
            return unreachable(config, f"it gives {_words(error)}")
        case _:
            return InternalError(f"the Kafka client failed: {_words(error)}")


def unreachable(config: KafkaConfig, problem: str) -> BrokerUnreachable:
    """No broker answers."""
    return BrokerUnreachable(
        "kafka.bootstrap_servers",
        config.bootstrap_servers,
        f"no broker can be reached: {problem}",
        "start the broker, or name one that runs as host:port",
    )


def _forbidden(config: KafkaConfig, what: str, rights: str) -> OperatorError:
    problem = f"the broker does not allow this user the use of {what}"
    return OperatorError("kafka.sasl_username", config.sasl_username, problem, f"give it the ACLs {rights} there")


def _refused(config: KafkaConfig) -> OperatorError:
    problem = f"the broker refuses it for the user {config.sasl_username!r}"
    return OperatorError(
        "kafka.sasl_password_file", _HIDDEN, problem, "correct kafka.sasl_username or the content of that file"
    )


def _mechanism(config: KafkaConfig, error: BaseException) -> OperatorError:
    problem = f"the broker does not offer it ({_words(error)})"
    return OperatorError("kafka.sasl_mechanism", config.sasl_mechanism, problem, "use one that the listener offers")


def _certificate(config: KafkaConfig, error: BaseException) -> OperatorError:
    problem = f"TLS with the broker fails: {_words(error)}"
    fix = "name the certificate authority of the broker, or another kafka.security_protocol"
    return OperatorError("kafka.ssl_cafile", config.ssl_cafile or "", problem, fix)


def _cut(config: KafkaConfig, server: str) -> BrokerUnreachable:
    """At the start mostly a wrong setting; who has been connected before waits, as for any broker that is away."""
    problem = f"{server} connects and then closes at the first request"
    fix = (
        "set it to what this listener speaks, such as SASL_PLAINTEXT or SASL_SSL; or start the broker behind the proxy"
    )
    return BrokerUnreachable("kafka.security_protocol", config.security_protocol, problem, fix)


def _above(value: int, setting: str, limit: str) -> OperatorError:
    return OperatorError(setting, value, f"it is above the broker's {limit}", "lower it, or raise the broker's limit")


def _names(error: BaseException) -> str:
    named: Any = error.args[0] if error.args else ""
    return ", ".join(sorted(map(str, named))) if isinstance(named, set | frozenset | list) else str(named)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
