"""Alertmanager, API v2: tells it what fires until it is over.

Every pod with the serve stage tells all: Alertmanager counts an alert with the same labels once, so no pod has to be
the one. What to tell, and when, is decided in `core/asking/notices.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import msgspec

from riskstream.core.asking.notices import Notices
from riskstream.core.records import Alert
from riskstream.service.sinks.config import Target, takes
from riskstream.service.sinks.post import post
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import SinkFailed

ALERTS_A_POST = 200
RETRY_S_MAX = 30.0
LOOK_S = 1.0
"""How long a change may wait."""


class AlertmanagerSink:
    """Keeps one Alertmanager told. `put` and `forget` are called as the alerts topic is read."""

    def __init__(self, target: Target, *, telemetry: Telemetry, now_ms: Callable[[], int]) -> None:
        self._target, self._telemetry, self._now_ms = target, telemetry, now_ms
        self._notices = Notices(target.resend_ms)

    def put(self, alert: Alert) -> None:
        """The newest record of an alert."""
        if takes(self._target, alert):
            self._notices.put(alert, self._now_ms())
        else:
            self._notices.forget(alert.alert_id, self._now_ms())

    def forget(self, alert_id: str) -> None:
        """The topic has a tombstone for this alert."""
        self._notices.forget(alert_id, self._now_ms())

    async def run(self, ready: asyncio.Event) -> None:
        """Tell until cancelled, once the alerts topic has been read to its end: what it says before is old."""
        await ready.wait()
        timeout = aiohttp.ClientTimeout(total=self._target.timeout_s)
        pause_s = LOOK_S
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                told = await self._tell(session)
                pause_s = LOOK_S if told else min(pause_s * 2, RETRY_S_MAX)
                await asyncio.sleep(pause_s)

    async def _tell(self, session: aiohttp.ClientSession) -> bool:
        due = self._notices.take(self._now_ms())
        headers = {"Content-Type": "application/json", **self._target.authorization}
        for begin in range(0, len(due), ALERTS_A_POST):
            part = due[begin : begin + ALERTS_A_POST]
            body = msgspec.json.encode([notice for _, notice in part])
            sent = await post(session, f"{self._target.url}/api/v2/alerts", body, headers)
            if sent.outcome != "taken":
                self._telemetry.emit(SinkFailed(self._target.name, sent.detail, True))
                return False
            self._notices.sent([labels for labels, _ in part], self._now_ms())
        return True
