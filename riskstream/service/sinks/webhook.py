"""A webhook: every alert record is posted at least once, in the order of its alert, by one pod of the group.

    alerts topic ─► lane ─► post ─┬─ taken ─────────────► the offset is committed
                            ▲     ├─ again ─ pause ─┐
                            └─────┼─────────────────┘     until `give_up_s` is over
                                  └─ refused ─► counted, named in the log, passed over: it stays in the topic

Rule 1. It is a stage like any other: a group of its own, whose offset moves only past what was taken or given up.
Rule 2. One request at a time for each lane, so the records of an alert come in order.
Rule 3. Requests are signed as Standard Webhooks says: `webhook-id`, `webhook-timestamp`, `webhook-signature`. The id is
        the same whenever a record is sent again, so that a receiver can drop what it has. An alert that is traced is
        posted with its `traceparent`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence

import aiohttp

from riskstream.core.ports import Ends, Partitions
from riskstream.core.records import Alert, Message, Partition, Rejected, Ticket
from riskstream.core.watching import codec
from riskstream.service.sinks.config import Target, takes
from riskstream.service.sinks.post import post
from riskstream.service.stages.lanes import Done, Finish, Restored
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import SinkFailed

PAUSE_S_MAX = 60.0
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

Work = tuple[Ticket, Message, Finish]


def signed(target: Target, delivery: str, body: bytes, now_s: int) -> dict[str, str]:
    """The headers of a delivery, as Standard Webhooks names them."""
    headers = {"webhook-id": delivery, "webhook-timestamp": str(now_s), "Content-Type": "application/json"}
    if target.key:
        digest = hmac.new(target.key, f"{delivery}.{now_s}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers | dict(target.authorization)


def traced(message: Message) -> dict[str, str]:
    """The header of the trace that a record is part of, if it is of one."""
    value = dict(message.headers).get("traceparent", b"")
    return {"traceparent": value.decode()} if _TRACEPARENT.fullmatch(value) else {}


def wants(target: Target, alert: Alert) -> bool:
    """Whether a record is posted: what ends or lessens an alert always is, so that none stays open at the receiver."""
    ends = alert.state == "resolved" or alert.reason in ("lowered", "denied")
    return takes(target, alert) or (ends and (not target.rules or alert.rule in target.rules))


class WebhookProcessor:
    """Posts the alerts of its lanes."""

    def __init__(self, target: Target, *, telemetry: Telemetry, now_ms: Callable[[], int]) -> None:
        self._target, self._telemetry, self._now_ms = target, telemetry, now_ms
        self._session: aiohttp.ClientSession | None = None
        self._queues: dict[Partition, asyncio.Queue[Work]] = {}
        self._posting: dict[Partition, asyncio.Task[None]] = {}

    def assigned(self, lanes: Partitions) -> None:
        """Nothing is remembered of a lane."""

    async def opened(self, lane: Partition, add: Callable[[Done], None]) -> Restored | None:
        """Begin to post what comes; nothing is kept from before."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._target.timeout_s))
        queue = self._queues[lane] = asyncio.Queue()
        self._posting[lane] = asyncio.create_task(self._work(queue))
        return None

    def accept(self, work: Sequence[tuple[Ticket, Message]], finish: Finish) -> None:
        """Queue records; the lane's `in_flight_max` bounds them."""
        for ticket, message in work:
            self._queues[ticket.lane].put_nowait((ticket, message, finish))

    def tick(self, lane: Partition, now_ms: int) -> Done | None:
        """Time changes nothing here."""
        return None

    def committed(self, lane: Partition, results: Sequence[Done], ends: Ends) -> None:
        """Nothing is counted that the stage does not count."""

    def closed(self, lane: Partition) -> None:
        """Stop posting; what is not committed comes again to the next owner."""
        self._queues.pop(lane, None)
        if (task := self._posting.pop(lane, None)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _work(self, queue: asyncio.Queue[Work]) -> None:
        while True:
            ticket, message, finish = await queue.get()
            alert = codec.read_alert(message) if message.value is not None else None
            if isinstance(alert, Rejected):
                self._telemetry.emit(SinkFailed(self._target.name, f"{message.position}: {alert.detail}", False))
            elif isinstance(alert, Alert) and wants(self._target, alert):
                await self._deliver(message, alert)
            finish(ticket, Done((), message.timestamp_ms))

    async def _deliver(self, message: Message, alert: Alert) -> None:
        assert self._session is not None
        body, delivery = message.value or b"", f"{alert.alert_id}-{alert.sequence}"
        loop, pause_s = asyncio.get_running_loop(), 1.0
        give_up = loop.time() + self._target.give_up_s
        while True:
            headers = signed(self._target, delivery, body, self._now_ms() // 1000) | traced(message)
            sent = await post(self._session, self._target.url, body, headers)
            if sent.outcome == "taken":
                return
            wait_s = min(max(pause_s, sent.wait_s), PAUSE_S_MAX)
            again = sent.outcome == "again" and loop.time() + wait_s < give_up
            self._telemetry.emit(SinkFailed(self._target.name, f"{message.position}: {sent.detail}", again))
            if not again:
                return
            await asyncio.sleep(wait_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)
