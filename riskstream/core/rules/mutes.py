"""What keeps an alert quiet although its rule fires: silences, quiet hours, and a worse alert about the same subject.

    [[silence]]      from ├──────────────┤ until
    [[quiet_hours]]  ─┤22:00    07:00├───────┤22:00    07:00├─   in the time of a zone, on given days
    [[inhibit]]      severe alert ─ mutes ─► watch alert, of the same subject

Rule 1. A mute withholds records and changes no life: what still stands when it ends is told then.
Rule 2. An alert that was told tells its end, muted or not: a reader's table of open alerts stays right.
Rule 3. A muted alert mutes others all the same: what is silenced is known.
Rule 4. Quiet hours that pass midnight belong to the day on which they begin. Where the clocks change, the wall counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from riskstream.core.contracts import Severity
from riskstream.core.rules.held import HeldReason

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Which(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which alerts: all parts that are there must hold; a label must have the given value."""

    rules: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


class Kind(msgspec.Struct, frozen=True):
    """What all alerts of one rule have in common."""

    rule: str
    shape: str
    labels: dict[str, str]


class Silence(msgspec.Struct, frozen=True, omit_defaults=True):
    """A time during which these alerts are not told, and why."""

    which: Which
    until_ms: int
    comment: str
    from_ms: int = 0

    def ends_ms(self, now_ms: int) -> int | None:
        """When it ends; None where it is not in force."""
        return self.until_ms if self.from_ms <= now_ms < self.until_ms else None


class QuietHours(msgspec.Struct, frozen=True, omit_defaults=True):
    """Hours of the day in which these alerts are not told. `days` are numbers from Monday, 0; times are minutes."""

    which: Which
    zone: str
    from_minute: int
    to_minute: int
    days: tuple[int, ...] = tuple(range(7))

    def ends_ms(self, now_ms: int) -> int | None:
        """When they end; None where they are not in force."""
        zone = ZoneInfo(self.zone)
        today = (_EPOCH + now_ms * _MS).astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            if day.weekday() in self.days:
                last = day + timedelta(days=self.to_minute <= self.from_minute)
                starts_ms, ends_ms = _at(day, self.from_minute, zone), _at(last, self.to_minute, zone)
                if starts_ms <= now_ms < ends_ms:
                    return ends_ms
        return None


class Inhibition(msgspec.Struct, frozen=True):
    """While an alert of `source` stands, those of `target` about the same subject are not told."""

    source: Which
    target: Which


class Mutes(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is in force beside the rules."""

    silences: tuple[Silence, ...] = ()
    quiet_hours: tuple[QuietHours, ...] = ()
    inhibitions: tuple[Inhibition, ...] = ()

    def of(self, kind: Kind) -> Mutes:
        """What can ever mute alerts of one rule."""
        return Mutes(
            tuple(silence for silence in self.silences if _may(silence.which, kind)),
            tuple(hours for hours in self.quiet_hours if _may(hours.which, kind)),
            tuple(one for one in self.inhibitions if _may(one.target, kind)),
        )

    def why(self, subject_id: str, severity: Severity, now_ms: int) -> tuple[HeldReason, int] | None:
        """The mute that is in force for an alert of this rule and when it ends; None where there is none."""
        reasons: tuple[tuple[HeldReason, Sequence[Silence | QuietHours]], ...] = (
            ("silenced", self.silences),
            ("quiet_hours", self.quiet_hours),
        )
        for reason, mutes in reasons:
            ends = [
                ends_ms
                for mute in mutes
                if _about(mute.which, subject_id, severity) and (ends_ms := mute.ends_ms(now_ms)) is not None
            ]
            if ends:
                return reason, max(ends)
        return None

    def inhibits(self, target: tuple[str, Severity], source: Kind, severity: Severity) -> bool:
        """A standing alert of `source` with this severity mutes one of this rule: (subject id, severity)."""
        return any(
            _about(one.target, *target) and _may(one.source, source) and _about(one.source, target[0], severity)
            for one in self.inhibitions
        )


def _may(which: Which, kind: Kind) -> bool:
    return (
        (not which.rules or kind.rule in which.rules)
        and (not which.shapes or kind.shape in which.shapes)
        and all(kind.labels.get(name) == value for name, value in which.labels)
    )


def _about(which: Which, subject_id: str, severity: Severity) -> bool:
    return (not which.subjects or subject_id in which.subjects) and (
        not which.severities or severity in which.severities
    )


def _at(day: date, minute: int, zone: ZoneInfo) -> int:
    return (datetime.combine(day, time(*divmod(minute, 60)), zone) - _EPOCH) // _MS
