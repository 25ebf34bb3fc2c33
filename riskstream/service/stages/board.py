"""The table of alerts that the serve stage answers from: the newest record of each, as the compacted topic has it.

    alerts topic ── put / forget ──► Board ──┬── open()            what fires now
                                             └── for_entity(id)    all that is kept of one entity

Rule 1. The greatest sequence of an alert wins, in whatever order records come.
Rule 2. The table is bounded. Resolved alerts leave first, the one that changed longest ago before the others.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from riskstream.core.asking.pages import entities_of, place
from riskstream.core.records import Alert

ALERTS_MAX = 50_000
"""At about 4 kB an alert with its evidence: 200 MB at most."""


class Board:
    """The newest record of each alert, in memory."""

    def __init__(self, alerts_max: int = ALERTS_MAX) -> None:
        self._alerts_max = alerts_max
        self._alerts: dict[str, Alert] = {}

    def __len__(self) -> int:
        return len(self._alerts)

    def put(self, alert: Alert) -> None:
        """Keep this record unless a newer one of the same alert is here."""
        known = self._alerts.get(alert.alert_id)
        if known is not None and known.sequence >= alert.sequence:
            return
        self._alerts[alert.alert_id] = alert
        if len(self._alerts) > self._alerts_max:
            self._make_room()

    def forget(self, alert_id: str) -> None:
        """The topic has a tombstone for this alert."""
        self._alerts.pop(alert_id, None)

    def all(self) -> list[Alert]:
        """All that is kept, in no order."""
        return list(self._alerts.values())

    def open(self) -> list[Alert]:
        """What has not been resolved, the newest change first."""
        return _newest_first(alert for alert in self._alerts.values() if alert.state != "resolved")

    def for_entity(self, entity_id: str) -> list[Alert]:
        """All that is kept about one entity, open or resolved, the newest change first."""
        return _newest_first(alert for alert in self._alerts.values() if entity_id in entities_of(alert))

    def _make_room(self) -> None:
        """Drop a twentieth at once, so that the search is paid once in many puts."""
        oldest = heapq.nsmallest(
            max(1, self._alerts_max // 20),
            self._alerts.values(),
            key=lambda alert: (alert.state != "resolved", alert.updated_at),
        )
        for alert in oldest:
            del self._alerts[alert.alert_id]


def _newest_first(alerts: Iterable[Alert]) -> list[Alert]:
    return sorted(alerts, key=place, reverse=True)
