"""The parts of a rule's table that several shapes share: field, aggregate and window, limits with their gates, clear.

    Parts(Table) ── measure / limits / clear / steps ──► values of core; mistakes are noted in the table

Each part reads its own keys and no others, so that a key which a shape does not use is refused as unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import msgspec

from riskstream.core.measure import AGGREGATES, BOUNDED, COUNTS, Aggregate, Measure
from riskstream.core.records import SEVERITIES, Severity
from riskstream.core.rules.fields import HEADS, PLAIN_FIELDS, greatest, known_field
from riskstream.core.rules.levels import Limit
from riskstream.core.rules.match import Match
from riskstream.core.rules.table import Table, suggest

if TYPE_CHECKING:
    from riskstream.core.rules.shapes.base import Clear

DENOMINATOR_MIN = 10
"""Fewer signals than this make no ratio unless the rule says otherwise."""


class Parts:
    """The readers of one rule's table."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def measure(self, among: Sequence[Aggregate] = AGGREGATES, default: Aggregate | None = None) -> Measure:
        """Field, aggregate and window. `at_least` stays 0 until the limits are known."""
        table = self.table
        aggregate = cast("Aggregate", table.text("aggregate", default, among))
        field = self.field("risk_score" if aggregate in (*COUNTS, "ratio") else None)
        window_ms = table.seconds("window_s", least=1)
        return with_details(table, Measure(field, aggregate, window_ms, 0.0))

    def field(self, default: str | None) -> str:
        """The number that is read from each signal."""
        field = self.table.text("field", default)
        if field and not known_field(field):
            known = (*PLAIN_FIELDS, *(f"{head}.<label>" for head in HEADS))
            self.table.wrong("field", "is not a field of a signal", suggest(field, known))
            return "risk_score"
        return field or "risk_score"

    def limits(self, most: float, *, least: float = 0, default: float | None = None) -> tuple[Limit, ...]:
        """One limit for one severity, or one for each; with the documents and sources that each needs."""
        values = self.levels(most, least=least, default=default)
        documents, sources = self._gate("documents_min", values), self._gate("sources_min", values)
        raising = self._raising(values)
        return tuple(
            Limit(severity, values[severity], documents[severity], sources[severity], raising.get(severity, 0))
            for severity in SEVERITIES
            if severity in values
        )

    def levels(self, most: float, *, least: float = 0, default: float | None = None) -> dict[Severity, float]:
        """The limit of each severity that has one; they must rise."""
        table = self.table
        if table.has("limits") and table.has("limit"):
            table.wrong("limit", "stands beside limits", "keep one of the two")
        if table.has("limits"):
            inner = table.table("limits")
            values = {name: inner.number(name, least=least, most=most) for name in SEVERITIES if inner.has(name)}
            inner.finish()
            if not values:
                table.wrong("limits", "holds no limit", f"give at least one of {', '.join(SEVERITIES)}")
            if table.has("severity"):
                table.wrong("severity", "stands beside limits", "remove it: limits name their severities")
        else:
            severity = cast("Severity", table.text("severity", "material", SEVERITIES))
            values = {severity: table.number("limit", default, least=least, most=most)}
        given = "limits" if table.has("limits") else "limit"
        raw = table.values.get(given)
        if 0 in (raw.values() if isinstance(raw, dict) else (raw,)):
            table.wrong(given, "holds a limit of 0", "use more than 0: a limit of 0 always fires")
        if list(values.values()) != sorted(set(values.values())):
            table.wrong("limits", "do not rise from watch to material to severe", "give each severity a higher limit")
        return values

    def supported_from(self, measure: Measure, limits: tuple[Limit, ...]) -> Measure:
        """The measure with the value from which a signal supports the rule: the lowest limit, or 0 for counts."""
        default = limits[0].value if limits and measure.aggregate in BOUNDED else 0.0
        at_least = self.table.number("at_least", default, least=0, most=greatest(measure.field))
        return msgspec.structs.replace(measure, at_least=at_least)

    def clear(self, measure: Measure, limits: tuple[Limit, ...], *, own_measure: bool = True) -> Clear:
        """The clear limit: a number means the rule's own measure; a table may name another aggregate and window."""
        from riskstream.core.rules.shapes.base import Clear

        table, lowest = self.table, limits[0].value if limits else 0.0
        if not own_measure or not table.has("clear") or not isinstance(table.values["clear"], dict):
            limit = table.number("clear", lowest, least=0)
            if limit > lowest:
                table.wrong("clear", f"is above the lowest limit, {lowest:g}", "use a lower number, or it never holds")
            clear = Clear(measure, limit)
        else:
            inner = table.table("clear")
            aggregate = cast("Aggregate", inner.text("aggregate", measure.aggregate, AGGREGATES))
            window_ms = inner.seconds("window_s", measure.window_ms / 1000, least=1)
            given = Measure(measure.field, aggregate, window_ms, measure.at_least)
            limit = inner.number("limit", least=0)
            clear = Clear(with_details(inner, given, measure), limit)
            inner.finish()
        if clear.limit == 0 and table.has("clear"):
            table.wrong("clear", "has a limit of 0", "use more than 0: an alert would never clear")
        return clear

    def steps(self) -> tuple[Match, ...]:
        """The steps of a sequence: each says what it takes, as `match` does."""
        return tuple(match(step) for step in self.table.tables("steps", least=2, most=8))

    def _raising(self, severities: dict[Severity, float]) -> dict[Severity, int]:
        """How many sources make a severity by their number; the lowest one is made by its limit alone."""
        inner = self.table.table("sources_raise")
        higher = list(severities)[1:]
        found = {severity: inner.count(severity, 2) for severity in higher if inner.has(severity)}
        inner.finish()
        if [found[severity] for severity in higher if severity in found] != sorted(found.values()):
            self.table.wrong("sources_raise", "asks for fewer sources for a higher severity", "let the numbers rise")
        return found

    def _gate(self, key: str, severities: dict[Severity, float]) -> dict[Severity, int]:
        """A gate for each severity: one number for all, or a table in which a severity that is not named has 1."""
        if not self.table.has(key) or not isinstance(self.table.values[key], dict):
            return dict.fromkeys(severities, self.table.count(key, 1))
        inner = self.table.table(key)
        gates = {severity: inner.count(severity, 1) for severity in severities}
        inner.finish()
        return gates


def with_details(table: Table, measure: Measure, like: Measure | None = None) -> Measure:
    """The measure with what its aggregate alone needs; `like` gives defaults if it has the same aggregate."""
    same = like if like is not None and like.aggregate == measure.aggregate else None
    half_life_ms = percentile = None
    denominator_min = 1
    if measure.aggregate == "decayed_mean":
        default = same.half_life_ms / 1000 if same and same.half_life_ms else None
        half_life_ms = table.seconds("half_life_s", default, least=1)
    elif measure.aggregate == "percentile":
        percentile = table.number("percentile", same.percentile if same else None, least=1, most=100)
    elif measure.aggregate == "ratio":
        denominator_min = table.count("denominator_min", same.denominator_min if same else DENOMINATOR_MIN)
    for key, aggregate in (("half_life_s", "decayed_mean"), ("percentile", "percentile"), ("denominator_min", "ratio")):
        if aggregate != measure.aggregate and table.has(key):
            table.wrong(key, f"means nothing for {measure.aggregate}", f'remove it, or use aggregate = "{aggregate}"')
    return msgspec.structs.replace(
        measure, half_life_ms=half_life_ms, percentile=percentile, denominator_min=denominator_min
    )


def greatest_value(measure: Measure) -> float:
    """The greatest value that a measure can have."""
    if measure.aggregate == "ratio":
        return 1.0
    return greatest(measure.field) if measure.aggregate in BOUNDED else float("inf")


def match(table: Table) -> Match:
    """Which signals are taken."""
    plain = {key: table.texts(key) for key in ("kinds", "sources", "langs", "entities", "groups", "categories")}
    minima = {
        field: table.number(f"{field}_min", least=0, most=1)
        for field in ("relevance", "risk_score", "weight")
        if table.has(f"{field}_min")
    }
    for head in HEADS:
        inner = table.table(head)
        minima |= {f"{head}.{label}": inner.number(label, least=0, most=1) for label in inner.values}
    copies_max = table.count("copies_max", 0, least=0) if table.has("copies_max") else None
    table.finish()
    return Match(**plain, minima=tuple(sorted(minima.items())), copies_max=copies_max)
