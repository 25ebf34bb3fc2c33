"""The tables of the settings file that are about the broker: `[kafka]` and `[topics]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from riskstream.sections import Section, Topic


def _addresses(text: str) -> str:
    for address in text.split(","):
        host, _, port = address.strip().rpartition(":")
        if "@" in address:
            raise ValueError("holds a user; set kafka.sasl_username and kafka.sasl_password_file")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
            raise ValueError(f"{address.strip()!r} is not host:port")
    return text


class Kafka(Section):
    """The connection. Turn the time-outs together: what must be shorter than what is checked at load."""

    bootstrap_servers: Annotated[str, AfterValidator(_addresses)] = "127.0.0.1:9092"
    """`host:port`, several separated by commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """What the listener speaks."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How a password is shown to the broker; read where `security_protocol` begins with SASL."""
    sasl_username: str = ""
    """The user of the broker."""
    sasl_password_file: Path | None = None
    """A file that holds the password, and nothing else."""
    ssl_cafile: Path | None = None
    """The certificate authority that signed the broker's certificate; without it, the system's."""
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    """`exactly_once`: results and offset in one transaction. `at_least_once`, for a broker without transactions: first
    results, then the offset, so that after a failure some signals and records of alerts are there twice."""
    session_timeout_ms: Annotated[int, Field(ge=6_000)] = 15_000
    """A silent process loses its partitions after this. Lower: faster take-over, more false alarms."""
    rebalance_timeout_ms: Annotated[int, Field(ge=1_000)] = 20_000
    """How long the group waits for a member to drain. Longer than `stages.drain_ms`."""
    transaction_timeout_ms: Annotated[int, Field(ge=1_000)] = 10_000
    """The broker aborts a transaction that is open for longer; until then it holds back committed readers."""
    transaction_calls_ms: Annotated[int, Field(ge=500)] = 8_000
    """Our own deadline for all calls of one transaction; past it the lane is given up."""
    message_bytes_max: Annotated[int, Field(ge=10_000)] = 1_000_000
    """A larger record is refused before it is sent; at most the `max.message.bytes` of our topics."""
    compression: Literal["none", "gzip", "lz4"] = "lz4"
    """Of what we write."""

    @model_validator(mode="after")
    def _credentials(self) -> Kafka:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password_file):
            raise ValueError(f"security_protocol = {self.security_protocol} needs sasl_username and sasl_password_file")
        return self


class Topics(Section):
    """The names of our own topics, and how they are created."""

    signals: Topic = "riskstream.signals"
    """One record per document and entity."""
    alerts: Topic = "riskstream.alerts"
    """The alerts; compacted, the last record per key is the truth."""
    state: Topic = "riskstream.state"
    """What the watch stage remembers; compacted, with as many partitions as signals."""
    rollups: Topic = "riskstream.rollups"
    """What signals contribute to groups, portfolios, sources and the market, for rules about those."""
    rollups_state: Topic = "riskstream.rollups-state"
    """What the watch stage remembers of them; compacted, with as many partitions as rollups."""
    dead_letters: Topic = "riskstream.dead-letters"
    """What could not be scored, with the reason."""
    reviews: Topic = "riskstream.reviews"
    """Scored texts that wait for a person's label."""
    labels: Topic = "riskstream.labels"
    """The labels that people give; `riskstream trainer` learns from them."""
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 12
    """Partitions of signals, rollups and their state at creation: the most lanes that the watch stage can ever have.
    Fixed afterwards: another number would look for an entity's memory where it is not, and stops the start."""
    replication: Annotated[int, Field(ge=1)] = 3
    """Copies of each record; where the cluster has fewer brokers, as many as it has, with a warning."""
    signals_retention_d: Annotated[int, Field(ge=1)] = 30
    """Days that signals are kept: how far back a replay of the log can go."""
    reviews_retention_d: Annotated[int, Field(ge=1)] = 90
    """Days that reviews are kept. A label without a text is joined to its review, so label within this time."""
