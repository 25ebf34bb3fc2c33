"""The serve stage: keeps tables of alerts from their compacted topic, for the read API and for Alertmanager.

    alerts topic ─ read to its end ─► tables ─► `ready` ─ and on, record by record ─► tables

It has no group and commits nothing: every pod reads the whole topic and holds the whole table. What the topic held
before it was read to its end is old news: nobody is told of it before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from riskstream.core.errors import OperatorError
from riskstream.core.ports import Broker
from riskstream.core.records import Alert, Message, Rejected
from riskstream.core.watching import codec
from riskstream.service.health import Health
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import SinkFailed

RETRY_S = 5.0


class Table(Protocol):
    """What is told of every alert record."""

    def put(self, alert: Alert) -> None:
        """A record of an alert; the greatest sequence is the truth, in whatever order they come."""

    def forget(self, alert_id: str) -> None:
        """The topic has a tombstone for this alert."""


async def follow_alerts(
    broker: Broker,
    topic: str,
    tables: Sequence[Table],
    ready: asyncio.Event,
    *,
    telemetry: Telemetry,
    health: Health,
) -> None:
    """Put every alert record into the tables until cancelled; a broken connection is tried again every 5 s."""
    health.set("serve.alerts", False, "the alerts have not been read yet")

    def at_end() -> None:
        health.set("serve.alerts", True)
        ready.set()

    while True:
        try:
            await broker.topics()  # raises where the broker is away
            async for message in read_and_follow(broker, topic, at_end):
                _keep(message, tables, telemetry)
        except OperatorError as error:
            health.set("serve.alerts", False, str(error))
            telemetry.emit(SinkFailed("board", str(error), True))
        await asyncio.sleep(RETRY_S)


async def read_and_follow(broker: Broker, topic: str, at_end: Callable[[], None]) -> AsyncIterator[Message]:
    """All that a topic holds, then, after `at_end()`, what comes."""
    reader, after = broker.reader(topic), dict[int, int]()
    async for message in reader.read():
        after[message.position.partition] = message.position.offset + 1
        yield message
    at_end()
    async for message in reader.follow(after):
        yield message


def _keep(message: Message, tables: Sequence[Table], telemetry: Telemetry) -> None:
    if message.value is None:
        for table in tables:
            table.forget((message.key or b"").decode(errors="replace"))
        return
    alert = codec.read_alert(message)
    if isinstance(alert, Rejected):
        telemetry.emit(SinkFailed("board", f"{message.position}: {alert.detail}", False))
        return
    for table in tables:
        table.put(alert)
