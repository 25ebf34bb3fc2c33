"""The one call that the stages know: an event goes to the metrics and to the log."""

from __future__ import annotations

from structlog.typing import FilteringBoundLogger

from riskstream.telemetry import logs
from riskstream.telemetry.events import Event
from riskstream.telemetry.metrics import Metrics


class Telemetry:
    """Where a daemon reports what happened to it.

    Several may live in one process: each has its own metrics, and they share the process's log.
    """

    def __init__(self, metrics: Metrics, log: FilteringBoundLogger | None = None) -> None:
        self.metrics = metrics
        self._log = logs.get_logger() if log is None else log

    def emit(self, event: Event) -> None:
        """Count the event and, where the log's level lets it through, write its line."""
        self.metrics.apply(event)
        level = logs.level_of(event)
        if self._log.is_enabled_for(level):
            self._log.log(level, logs.name_of(event), **logs.fields_of(event))
