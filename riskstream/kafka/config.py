"""How to reach the broker, and the time-outs of everything that talks to it. All times are in milliseconds.

The time-outs form one chain, each shorter than the next, so that a lane gives up before the broker does and a dead
process is noticed last:  calls of a transaction (8 s) < transaction (10 s) < session (15 s).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from aiokafka.helpers import create_ssl_context

from riskstream.core.errors import OperatorError


class KafkaConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A connection to Kafka. The service builds it from the `[kafka]` section of the settings."""

    bootstrap_servers: str = "127.0.0.1:9092"
    """`host:port`, several separated by commas."""
    client_id: str = "riskstream"
    """The name in the broker's own logs and quotas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = ""
    """Never shown: not in `repr`, not in an error."""
    ssl_cafile: str | None = None
    """The certificate authority of the broker's certificate; None: the system's."""
    ssl_certfile: str | None = None
    """Our own certificate, where the broker asks for one."""
    ssl_keyfile: str | None = None
    """The key of our own certificate."""
    session_timeout_ms: int = 15_000
    """A member that is silent for longer loses its partitions."""
    heartbeat_interval_ms: int = 3_000
    rebalance_timeout_ms: int = 20_000
    """How long the group waits for a member's `on_revoked`."""
    max_poll_interval_ms: int = 300_000
    """A member that does not call `poll` for longer leaves the group."""
    transactions: bool = True
    """Whether lanes write in transactions; without, producers are plain ones that any broker takes."""
    transaction_timeout_ms: int = 10_000
    """The broker aborts a transaction that is open for longer."""
    transaction_call_timeout_ms: int = 8_000
    """Our deadline for all calls of one transaction together; past it the lane is lost."""
    request_timeout_ms: int = 10_000
    connect_timeout_ms: int = 6_000
    """Past it a broker counts as unreachable at the start."""
    compression: Literal["gzip", "lz4"] | None = "lz4"
    batch_bytes_max: int = 262_144
    """Records of one partition travel in batches of this size; below the topic's `max.message.bytes`."""
    message_bytes_max: int = 1_000_000
    """A larger record is refused before it is sent; below the topic's `max.message.bytes`."""
    fetch_bytes_max: int = 4_194_304
    """At most this much of one partition is fetched at a time."""

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name != "sasl_password"}
        return f"KafkaConfig({', '.join(f'{name}={value!r}' for name, value in shown.items())}, sasl_password=…)"

    def connection(self) -> dict[str, Any]:
        """The client's own arguments for a connection. Raises OperatorError for certificates that cannot be read."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "request_timeout_ms": self.request_timeout_ms,
        }
        if self.security_protocol.startswith("SASL"):
            arguments["sasl_mechanism"] = self.sasl_mechanism
            arguments["sasl_plain_username"] = self.sasl_username
            arguments["sasl_plain_password"] = self.sasl_password
        if self.security_protocol.endswith("SSL"):
            arguments["ssl_context"] = self._ssl_context()
        return arguments

    def _ssl_context(self) -> Any:
        try:
            return create_ssl_context(cafile=self.ssl_cafile, certfile=self.ssl_certfile, keyfile=self.ssl_keyfile)
        except OSError as error:  # of which ssl.SSLError is one
            files = [file for file in (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile) if file]
            raise OperatorError(
                "kafka.ssl_cafile",
                ", ".join(files),
                f"cannot be read: {error}",
                "name files that hold PEM certificates",
            ) from error
