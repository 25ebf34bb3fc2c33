"""Limits by severity, and what a value reaches.

    value ─► judge(limits, view, clear_value ≥ clear_limit) ─► Verdict(severity | None, holds, limit)

Rule 1. The severity is the highest one whose limit the value reaches and whose gates (documents, sources) are passed,
        or, where it has `sources_raise`, which that many sources support at the lowest limit.
Rule 2. Gates are asked before firing and raising only: an open alert is not lowered or cleared by them.
Rule 3. An open alert holds while the value reaches the lowest limit or the clear value its own limit.
"""

from __future__ import annotations

import msgspec

from riskstream.core.records import SEVERITIES, Severity, Verdict, WindowView


class Limit(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value from which an alert has this severity, and how many documents and sources must support it.
    `sources_raise` is how many sources make it so by their number; 0 for none."""

    severity: Severity
    value: float
    documents_min: int = 1
    sources_min: int = 1
    sources_raise: int = 0


def judge(limits: tuple[Limit, ...], view: WindowView, *, clear_holds: bool, most: Severity = "severe") -> Verdict:
    """What the limits, from the lowest severity to the highest, say of a view; at most `most`."""
    severity, limit = None, limits[0].value
    for candidate in limits:
        if rank(candidate.severity) > rank(most):
            break
        passed = view.documents >= candidate.documents_min and view.sources >= candidate.sources_min
        if (passed and view.value >= candidate.value) or by_number(candidate, limits[0], view):
            severity, limit = candidate.severity, candidate.value
    return Verdict(severity, view.value >= limits[0].value or clear_holds, limit)


def by_number(limit: Limit, lowest: Limit, view: WindowView) -> bool:
    """Whether a severity is reached because so many sources support the lowest limit."""
    return 0 < limit.sources_raise <= view.sources and view.value >= lowest.value


def reached(limits: tuple[Limit, ...], value: float) -> Severity | None:
    """The highest severity whose limit a value reaches, whatever the gates say."""
    return next((limit.severity for limit in reversed(limits) if value >= limit.value), None)


def limit_of(limits: tuple[Limit, ...], severity: Severity) -> float:
    """The limit of one of the severities."""
    return next(limit.value for limit in limits if limit.severity == severity)


def rank(severity: Severity | None) -> int:
    """0 for none, then 1 to 3."""
    return 0 if severity is None else SEVERITIES.index(severity) + 1
