"""Alert records folded into episodes: one from its firing to its end.

    firing ─ updated ─ updated ─ resolved      four records of one alert id
    └──────────── one Episode ───────────┘     steps: where its severity changed

Rule 1. An episode opens when its first record was decided (`updated_at`), which is when a desk could see it; the event
        that opened it (`starts_at`) may be older.
Rule 2. An episode without a `resolved` record is open: `closed_ms` is None.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from riskstream.core.clock import parse_ms
from riskstream.core.contracts import SEVERITIES, Alert, Severity


class Step(msgspec.Struct, frozen=True):
    """From `at_ms` on the alert has this severity."""

    at_ms: int
    severity: Severity


class Episode(msgspec.Struct, frozen=True):
    """One alert, whole: its records in order, and what they say together."""

    records: tuple[Alert, ...]
    opened_ms: int
    closed_ms: int | None
    steps: tuple[Step, ...]

    @property
    def last(self) -> Alert:
        """The newest record."""
        return self.records[-1]

    @property
    def highest(self) -> Severity:
        """The highest severity that it ever had."""
        return max((step.severity for step in self.steps), key=SEVERITIES.index)

    def reached_ms(self, severity: Severity) -> int | None:
        """When it first had this severity or a higher one."""
        least = SEVERITIES.index(severity)
        return next((step.at_ms for step in self.steps if SEVERITIES.index(step.severity) >= least), None)


def episodes(alerts: Iterable[Alert]) -> tuple[Episode, ...]:
    """The episodes of alert records, by when they opened. Records of an id come in the order of their sequence."""
    records: dict[str, list[Alert]] = {}
    for alert in alerts:
        records.setdefault(alert.alert_id, []).append(alert)
    return tuple(sorted((_episode(tuple(mine)) for mine in records.values()), key=_order))


def _episode(records: tuple[Alert, ...]) -> Episode:
    steps: list[Step] = []
    for record in records:
        if not steps or steps[-1].severity != record.severity:
            steps.append(Step(parse_ms(record.updated_at), record.severity))
    last = records[-1]
    closed_ms = parse_ms(last.updated_at) if last.state == "resolved" else None
    return Episode(records, parse_ms(records[0].updated_at), closed_ms, tuple(steps))


def _order(episode: Episode) -> tuple[int, str, str]:
    return (episode.opened_ms, episode.last.subject.id, episode.last.rule)
