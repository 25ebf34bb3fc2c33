"""The sinks of one daemon: what `[[sink]]` names, made ready, fed and let go."""

from __future__ import annotations

from collections.abc import Callable

from riskstream.core.ports import Start
from riskstream.sections.sink import Sink
from riskstream.service.sinks.alertmanager import AlertmanagerSink
from riskstream.service.sinks.config import target
from riskstream.service.sinks.webhook import WebhookProcessor
from riskstream.telemetry.emit import Telemetry

START = Start("latest")
"""A webhook that is added today is not told of last year."""


class Sinks:
    """Every sink of the settings. Raises OperatorError for one that is wrong."""

    def __init__(self, sinks: tuple[Sink, ...], *, telemetry: Telemetry, now_ms: Callable[[], int]) -> None:
        self.alertmanagers: list[AlertmanagerSink] = []
        self.webhooks: dict[str, WebhookProcessor] = {}
        for sink in sinks:
            if sink.kind == "alertmanager":
                self.alertmanagers.append(AlertmanagerSink(target(sink), telemetry=telemetry, now_ms=now_ms))
            else:
                made = WebhookProcessor(target(sink), telemetry=telemetry, now_ms=now_ms)
                self.webhooks[f"sink-{sink.name}"] = made
        telemetry.metrics.expect(sinks=[sink.name for sink in sinks], stages=list(self.webhooks))

    async def close(self) -> None:
        """Let go of the webhooks' connections."""
        for webhook in self.webhooks.values():
            await webhook.close()
