"""Rules as people write them: TOML in, `RuleSet` out, and every mistake named with its fix.

    text ── tomllib ──► [[rule]] ── Table ──► Match, Measure, Limit, Clear, Hold ──► Rule ──► RuleSet
                                      └─────► mistakes

Rule 1. An unknown key or name is refused, with the nearest known one: a rule must not silently do less.
Rule 2. Units are in the keys: `…_s` is seconds. `docs/rules.md` says what each key does.
Rule 3. `check_rules` gives all mistakes, `parse_rules` raises the first.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from riskstream.core.errors import OperatorError
from riskstream.core.life import Hold
from riskstream.core.records import SEVERITIES, Labels
from riskstream.core.rules import SUBJECTS, Clear, Condition, Limit, Match, Rule, RuleSet, Threshold
from riskstream.core.rules_fields import HEADS, PLAIN_FIELDS, greatest, known_field, unknown_label
from riskstream.core.rules_table import Table, suggest
from riskstream.core.windows import AGGREGATES, Aggregate, Measure

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_BOUNDED = ("max", "mean", "decayed_mean")
"""The aggregates whose value stays in the range of the field."""


def parse_rules(text: str, origin: str) -> RuleSet:
    """The rules of a file's text. `origin` names the file in errors. Raises OperatorError for the first mistake."""
    rules, mistakes = check_rules(text, origin)
    if mistakes:
        raise mistakes[0]
    return rules


def check_rules(text: str, origin: str) -> tuple[RuleSet, list[OperatorError]]:
    """The rules of a file's text that are right, and all mistakes of the others."""
    mistakes: list[OperatorError] = []
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        mistakes.append(OperatorError(origin, str(error), "is not TOML", "mend the line that the value names"))
        return RuleSet((), origin), mistakes
    top = Table(origin, values, mistakes)
    tables = values.get("rule", []) if top.has("rule") else []
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        top.wrong("rule", "holds no rules", "add at least one [[rule]] section")
        tables = []
    top.finish()
    rules = [rule for index, table in enumerate(tables) if (rule := _rule(origin, index, table, mistakes))]
    for name, count in Counter(rule.name for rule in rules).items():
        if count > 1:
            thing, problem = f"{origin}: rule {name!r}: name", f"stands {count} times in the file"
            mistakes.append(OperatorError(thing, name, problem, "give each rule its own name"))
    return RuleSet(tuple(sorted(rules, key=lambda rule: rule.name)), origin), mistakes


def check_labels(rules: RuleSet, labels: Labels) -> list[OperatorError]:
    """The fields of the rules that a model with these labels does not have; such a rule would read 0 for ever."""
    mistakes = []
    for rule in rules.rules:
        condition = rule.condition
        for field in sorted({condition.shape.measure.field, *(field for field, _ in condition.match.minima)}):
            if fault := unknown_label(field, labels):
                thing = f"{rules.origin}: rule {rule.name!r}: {field}"
                mistakes.append(OperatorError(thing, fault[0], "is not a label of the model", suggest(*fault)))
    return mistakes


def _rule(origin: str, index: int, values: dict[str, Any], mistakes: list[OperatorError]) -> Rule | None:
    before = len(mistakes)
    name = values.get("name")
    table = Table(f"{origin}: rule {name!r}" if name else f"{origin}: rule number {index + 1}", values, mistakes)
    name = table.text("name")
    if name and not _NAME.fullmatch(name):
        table.wrong("name", "is not a plain name", "use small letters, digits and hyphens: 'credit-shock'")
    by = table.text("by", "entity", tuple(SUBJECTS))
    shape = SHAPES[table.text("shape", "threshold", tuple(SHAPES))](table)
    match = _match(table.table("match"))
    hold = Hold(table.seconds("for_s", 0), table.seconds("keep_firing_for_s", 0), table.seconds("cooldown_s", 0))
    lower_after_ms = table.seconds("lower_after_s", hold.keep_ms / 1000)
    update_ms = table.seconds("update_s", 900, least=1)
    labels, owner = _labels(table.table("labels")), table.text("owner", "")
    table.finish()
    if hold.for_ms > shape.measure.window_ms:
        table.wrong("for_s", "is longer than window_s", "wait no longer than the window: a text would leave it before")
    if len(mistakes) > before:
        return None
    return Rule(name, Condition(by, match, shape, hold, lower_after_ms), update_ms, labels, owner)


def _threshold(table: Table) -> Threshold:
    aggregate = cast("Aggregate", table.text("aggregate", None, AGGREGATES))
    field = _field(table, "field", "risk_score" if aggregate == "count" else None)
    window_ms = table.seconds("window_s", least=1)
    half_life_ms = _half_life(table, aggregate)
    most = greatest(field) if aggregate in _BOUNDED else float("inf")
    limits = _limits(table, most)
    lowest = limits[0].value if limits else 0.0
    at_least = table.number("at_least", lowest if aggregate in _BOUNDED else 0.0, least=0, most=greatest(field))
    measure = Measure(field, aggregate, window_ms, at_least, half_life_ms)
    return Threshold(measure, limits, _clear(table, measure, lowest))


SHAPES: dict[str, Callable[[Table], Threshold]] = {"threshold": _threshold}
"""The parser of each shape."""


def _field(table: Table, key: str, default: str | None) -> str:
    field = table.text(key, default)
    if field and not known_field(field):
        known = (*PLAIN_FIELDS, *(f"{head}.<label>" for head in HEADS))
        table.wrong(key, "is not a field of a signal", suggest(field, known))
        return "risk_score"
    return field or "risk_score"


def _half_life(table: Table, aggregate: str) -> int | None:
    if aggregate == "decayed_mean":
        return table.seconds("half_life_s", least=1)
    if table.has("half_life_s"):
        table.wrong("half_life_s", f"means nothing for {aggregate}", 'remove it, or use aggregate = "decayed_mean"')
    return None


def _limits(table: Table, most: float) -> tuple[Limit, ...]:
    values: dict[str, float] = {}
    if table.has("limits") and table.has("limit"):
        table.wrong("limit", "stands beside limits", "keep one of the two")
    if table.has("limits"):
        inner = table.table("limits")
        values = {name: inner.number(name, least=0, most=most) for name in SEVERITIES if inner.has(name)}
        inner.finish()
        if not values:
            table.wrong("limits", "holds no limit", f"give at least one of {', '.join(SEVERITIES)}")
        if table.has("severity"):
            table.wrong("severity", "stands beside limits", "remove it: limits name their severities")
    else:
        severity = table.text("severity", "material", SEVERITIES)
        values = {severity: table.number("limit", least=0, most=most)}
    given = "limits" if table.has("limits") else "limit"
    raw = table.values.get(given)
    if 0 in (raw.values() if isinstance(raw, dict) else (raw,)):
        table.wrong(given, "holds a limit of 0", "use more than 0: a limit of 0 always fires")
    if list(values.values()) != sorted(set(values.values())):
        table.wrong("limits", "do not rise from watch to material to severe", "give each severity a higher limit")
    documents, sources = _gate(table, "documents_min", values), _gate(table, "sources_min", values)
    return tuple(
        Limit(severity, values[severity], documents[severity], sources[severity])
        for severity in SEVERITIES
        if severity in values
    )


def _gate(table: Table, key: str, severities: dict[str, float]) -> dict[str, int]:
    """A gate for each severity: one number for all, or a table in which a severity that is not named has 1."""
    if not table.has(key) or not isinstance(table.values[key], dict):
        return dict.fromkeys(severities, table.count(key, 1))
    inner = table.table(key)
    gates = {severity: inner.count(severity, 1) for severity in severities}
    inner.finish()
    return gates


def _clear(table: Table, measure: Measure, lowest: float) -> Clear:
    """The clear limit: a number means the rule's own measure; a table may name another aggregate and window."""
    if not table.has("clear") or not isinstance(table.values["clear"], dict):
        limit = table.number("clear", lowest, least=0)
        if limit > lowest:
            table.wrong("clear", f"is above the lowest limit, {lowest:g}", "use a lower number, else it never holds")
        clear = Clear(measure, limit)
    else:
        inner = table.table("clear")
        aggregate = cast("Aggregate", inner.text("aggregate", measure.aggregate, AGGREGATES))
        window_ms = inner.seconds("window_s", measure.window_ms / 1000, least=1)
        half_life_ms = _half_life(inner, aggregate)
        limit = inner.number("limit", least=0)
        inner.finish()
        clear = Clear(Measure(measure.field, aggregate, window_ms, measure.at_least, half_life_ms), limit)
    if clear.limit == 0 and table.has("clear"):
        table.wrong("clear", "has a limit of 0", "use more than 0: an alert would never clear")
    return clear


def _match(table: Table) -> Match:
    plain = {key: table.texts(key) for key in ("kinds", "sources", "langs", "entities", "groups")}
    minima = {
        field: table.number(f"{field}_min", least=0, most=1)
        for field in ("relevance", "risk_score")
        if table.has(f"{field}_min")
    }
    for head in HEADS:
        inner = table.table(head)
        minima |= {f"{head}.{label}": inner.number(label, least=0, most=1) for label in inner.values}
    table.finish()
    return Match(**plain, minima=tuple(sorted(minima.items())))


def _labels(table: Table) -> dict[str, str]:
    return {key: table.text(key) for key in sorted(table.values)}
