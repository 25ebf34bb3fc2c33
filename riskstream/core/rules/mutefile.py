"""The tables of a rule file that mute: `[[silence]]`, `[[quiet_hours]]`, `[[inhibit]]`.

Every silence has an end and a comment: one that nobody remembers is how an alert is missed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from riskstream.core.contracts import SEVERITIES
from riskstream.core.rules.mutes import DAYS, Inhibition, Mutes, QuietHours, Silence, Which
from riskstream.core.rules.shapes import PARSERS
from riskstream.core.rules.table import Table

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def mutes(top: Table, rules: Sequence[str]) -> Mutes:
    """The mutes of a file. `rules` are the names that they may speak of."""
    silences = tuple(_silence(table, rules) for table in top.sections("silence"))
    quiet_hours = tuple(_quiet_hours(table, rules) for table in top.sections("quiet_hours"))
    inhibitions = tuple(_inhibition(table, rules) for table in top.sections("inhibit"))
    return Mutes(silences, quiet_hours, inhibitions)


def _silence(table: Table, rules: Sequence[str]) -> Silence:
    which = _which(table.table("match"), rules)
    if which == Which():
        table.wrong("match", "names no alerts", "name rules, subjects, severities, shapes or labels to silence")
    from_ms = table.moment("from") if table.has("from") else 0
    until_ms, comment = table.moment("until"), table.text("comment")
    if from_ms >= until_ms > 0:
        table.wrong("until", "is not after from", "give a later time")
    table.finish()
    return Silence(which, until_ms, comment, from_ms)


def _quiet_hours(table: Table, rules: Sequence[str]) -> QuietHours:
    which = _which(table.table("match"), rules)
    zone = table.text("zone")
    if zone and not _known(zone):
        table.wrong("zone", "is not a time zone", "use a name such as 'Europe/London' or 'Asia/Shanghai'")
    days = table.texts("days", DAYS)
    from_minute, to_minute = _minute(table, "from"), _minute(table, "to")
    table.finish()
    numbers = tuple(sorted(DAYS.index(day) for day in days if day in DAYS)) or tuple(range(7))
    return QuietHours(which, zone, from_minute, to_minute, numbers)


def _inhibition(table: Table, rules: Sequence[str]) -> Inhibition:
    source, target = _which(table.table("source"), rules), _which(table.table("target"), rules)
    table.finish()
    worse = bool(source.severities and target.severities) and max(
        SEVERITIES.index(name) for name in target.severities if name in SEVERITIES
    ) < min(SEVERITIES.index(name) for name in source.severities if name in SEVERITIES)
    apart = bool(source.rules and target.rules) and not set(source.rules) & set(target.rules)
    if not worse and not apart and not table.mistakes:
        fix = "give target lower severities than source, or both of them rules of their own"
        table.wrong("target", "may be muted by itself", fix)
    return Inhibition(source, target)


def _which(table: Table, rules: Sequence[str]) -> Which:
    labels = table.table("labels")
    which = Which(
        rules=table.texts("rules", rules),
        subjects=table.texts("subjects"),
        severities=table.texts("severities", SEVERITIES),
        shapes=table.texts("shapes", tuple(PARSERS)),
        labels=tuple((name, labels.text(name)) for name in sorted(labels.values)),
    )
    table.finish()
    return which


def _minute(table: Table, key: str) -> int:
    found = _TIME.fullmatch(table.text(key))
    if found is None:
        if table.has(key):
            table.wrong(key, "is not a time of day", f'write {key} = "22:00"')
        return 0
    return int(found[1]) * 60 + int(found[2])


def _known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        return False
    return True
