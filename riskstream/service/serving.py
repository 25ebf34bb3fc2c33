"""The serve stage: keeps the table of alerts from their compacted topic, for the read API.

It has no group and commits nothing: every pod reads the whole topic and holds the whole table.
"""

from __future__ import annotations

import asyncio

from riskstream.core import codec
from riskstream.core.errors import OperatorError
from riskstream.core.ports import Broker
from riskstream.core.records import Rejected
from riskstream.service.board import Board
from riskstream.service.health import Health
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import SinkFailed

RETRY_S = 5.0


async def follow_alerts(broker: Broker, topic: str, board: Board, *, telemetry: Telemetry, health: Health) -> None:
    """Put every alert record into the board until cancelled; a broken connection is tried again every 5 s."""
    health.set("serve.alerts", False, "the alerts have not been read yet")
    while True:
        try:
            await broker.topics()  # raises where the broker is away
            health.set("serve.alerts", True)
            async for message in broker.reader(topic).follow():
                if message.value is None:
                    board.forget((message.key or b"").decode(errors="replace"))
                    continue
                alert = codec.read_alert(message)
                if isinstance(alert, Rejected):
                    telemetry.emit(SinkFailed("board", f"{message.position}: {alert.detail}", False))
                else:
                    board.put(alert)
        except OperatorError as error:
            health.set("serve.alerts", False, str(error))
            telemetry.emit(SinkFailed("board", str(error), True))
        await asyncio.sleep(RETRY_S)
