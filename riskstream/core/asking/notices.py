"""Alerts as Alertmanager takes them: told again until they are over, and once more for a while after.

    put(alert) ─► entry by labels ─► take(now) ─► Notice … ─► the sink posts ─► sent(notices, now)

Rule 1. Alertmanager knows an alert by its labels. So an alert whose severity changed is two: the one of the old
        severity is ended, the one of the new begins.
Rule 2. What fires is told every `resend_ms` with an end `ENDS_AFTER` times as far away: if all of us die, it ends.
Rule 3. What ended is told with its end for `RESOLVED_MS`. What had ended before it was first heard of is not told.
Rule 4. `Watchdog` always fires; whoever stops hearing it knows that the way is broken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from riskstream.core.clock import format_ms, parse_ms
from riskstream.core.contracts import Alert, Severity

ENDS_AFTER = 4
RESOLVED_MS = 900_000
SEVERITIES: dict[Severity, str] = {"watch": "info", "material": "warning", "severe": "critical"}
WATCHDOG = "Watchdog"

_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]")

Labels = tuple[tuple[str, str], ...]


class Notice(msgspec.Struct, frozen=True, rename={"starts_at": "startsAt", "ends_at": "endsAt", "url": "generatorURL"}):
    """One alert of `POST /api/v2/alerts`."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    ends_at: str
    url: str = ""


class _Entry(msgspec.Struct):
    """One set of labels. `ended_ms` is None while it fires, `drop_ms` then too. `told`: it was sent at least once."""

    alert: Alert
    next_ms: int
    ended_ms: int | None = None
    drop_ms: int | None = None
    told: bool = False


class Notices:
    """What one Alertmanager is to be told."""

    def __init__(self, resend_ms: int) -> None:
        self._resend_ms = resend_ms
        self._entries: dict[Labels, _Entry] = {}
        self._labels: dict[str, Labels] = {}
        self._watchdog_ms = 0
        self._begun_ms: int | None = None

    def put(self, alert: Alert, now_ms: int) -> None:
        """The newest record of an alert."""
        labels, before = labels_of(alert), self._labels.get(alert.alert_id)
        if before is not None and before != labels:
            self._end(before, now_ms, now_ms)
        if alert.state == "resolved":
            self._labels.pop(alert.alert_id, None)
            ended_ms = parse_ms(alert.ends_at or alert.updated_at)
            known = self._entries.pop(labels, None)
            if (known is not None and known.told) or now_ms - ended_ms <= RESOLVED_MS:
                self._entries[labels] = _Entry(alert, now_ms)
                self._end(labels, ended_ms, now_ms)
            return
        self._labels[alert.alert_id] = labels
        known = self._entries.get(labels)
        if known is None or known.ended_ms is not None:
            self._entries[labels] = _Entry(alert, now_ms)
        else:
            known.alert = alert

    def forget(self, alert_id: str, now_ms: int) -> None:
        """The alert is gone from the topic: if it still fires here, it is over."""
        if (labels := self._labels.pop(alert_id, None)) is not None:
            self._end(labels, now_ms, now_ms)

    def take(self, now_ms: int) -> list[tuple[Labels, Notice]]:
        """What is to be told now, the watchdog first. It is due until it was `sent`."""
        for labels, entry in list(self._entries.items()):
            if entry.drop_ms is not None and entry.drop_ms <= now_ms:
                del self._entries[labels]
        if self._begun_ms is None:
            self._begun_ms = now_ms
        due: list[tuple[Labels, Notice]] = [((), self._watchdog(now_ms))] if self._watchdog_ms <= now_ms else []
        ends_ms = now_ms + ENDS_AFTER * self._resend_ms
        for labels, entry in self._entries.items():
            if entry.next_ms <= now_ms:
                due.append((labels, notice(entry.alert, ends_ms if entry.ended_ms is None else entry.ended_ms)))
        return due

    def sent(self, told: Sequence[Labels], now_ms: int) -> None:
        """These were taken."""
        for labels in told:
            if not labels:
                self._watchdog_ms = now_ms + self._resend_ms
            elif (entry := self._entries.get(labels)) is not None:
                entry.next_ms, entry.told = now_ms + self._resend_ms, True

    def _end(self, labels: Labels, ended_ms: int, now_ms: int) -> None:
        if (entry := self._entries.get(labels)) is not None:
            entry.ended_ms, entry.next_ms, entry.drop_ms = ended_ms, now_ms, now_ms + RESOLVED_MS

    def _watchdog(self, now_ms: int) -> Notice:
        text = "Always fires. Page when it is missing: alerts of riskstream do not reach Alertmanager."
        return Notice(
            {"alertname": WATCHDOG, "severity": "none", "service": "riskstream"},
            {"summary": text},
            format_ms(self._begun_ms or now_ms),
            format_ms(now_ms + ENDS_AFTER * self._resend_ms),
        )


def labels_of(alert: Alert) -> Labels:
    """What Alertmanager knows an alert by. A rule's own labels never take the place of ours."""
    own = {_NOT_A_NAME.sub("_", name): value for name, value in alert.labels.items() if value}
    ours = {
        "alertname": alert.rule,
        "severity": SEVERITIES[alert.severity],
        "service": "riskstream",
        "by": alert.subject.by,
        "subject": alert.subject.id,
    }
    return tuple(sorted((own | ours).items()))


def notice(alert: Alert, ends_ms: int) -> Notice:
    """The alert with the end that it has, or is given."""
    best = alert.evidence[0] if alert.evidence else None
    annotations = {
        "summary": alert.summary,
        "name": alert.subject.name,
        "state": alert.state,
        "reason": alert.reason,
        "value": f"{alert.value:g}",
        "limit": f"{alert.limit:g}",
        "alert_id": alert.alert_id,
    }
    return Notice(
        dict(labels_of(alert)), annotations, alert.starts_at, format_ms(ends_ms), best.url if best else ""
    )  # fmt: skip
