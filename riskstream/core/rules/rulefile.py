"""Rules as people write them: TOML in, `RuleSet` out, and every mistake named with its fix.

    text ── tomllib ──► [[rule]] ── Table ── shapes.PARSERS ──► Shape, Match, Hold ──► Rule ──► RuleSet
                                      └────► mistakes

Rule 1. An unknown key or name is refused, with the nearest known one: a rule must not silently do less.
Rule 2. Units are in the keys: `…_s` is seconds. `docs/rules.md` says what each key does.
Rule 3. `check_rules` gives all mistakes, `parse_rules` raises the first.
Rule 4. Several files are one set: what stands in which file means nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from riskstream.core.errors import OperatorError
from riskstream.core.records import SEVERITIES, Labels, Severity
from riskstream.core.rules.fields import unknown_label
from riskstream.core.rules.life import Hold
from riskstream.core.rules.mutefile import mutes
from riskstream.core.rules.mutes import Mutes
from riskstream.core.rules.parts import Parts, match
from riskstream.core.rules.rule import DENIED_HOLD_MS, SUBJECTS, Condition, Rule, RuleSet
from riskstream.core.rules.shapes import PARSERS
from riskstream.core.rules.table import SECONDS_MAX, Table, suggest

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def parse_rules(text: str, origin: str) -> RuleSet:
    """The rules of a file's text. `origin` names the file in errors. Raises OperatorError for the first mistake."""
    return parse_files([(origin, text)])


def parse_files(files: Sequence[tuple[str, str]]) -> RuleSet:
    """The rules of (origin, text) files together. Raises OperatorError for the first mistake."""
    rules, mistakes = check_files(files)
    if mistakes:
        raise mistakes[0]
    return rules


def check_rules(text: str, origin: str) -> tuple[RuleSet, list[OperatorError]]:
    """The rules of a file's text that are right, and all mistakes of the others."""
    return check_files([(origin, text)])


def check_files(files: Sequence[tuple[str, str]]) -> tuple[RuleSet, list[OperatorError]]:
    """The rules of files that are right, and all mistakes of the others. A name stands once in all of them together,
    and the mutes of one may speak of the rules of another."""
    mistakes: list[OperatorError] = []
    tops: list[tuple[Table, list[dict[str, Any]]]] = []
    for origin, text in files:
        try:
            top = Table(origin, tomllib.loads(text), mistakes)
        except (ValueError, RecursionError) as error:
            mistakes.append(OperatorError(origin, str(error), "is not TOML", "mend the line that the value names"))
            continue
        tops.append((top, _tables(top, needed=len(files) == 1)))
    rules: list[tuple[str, Rule]] = []
    for top, tables in tops:
        found = (_rule(top.where, index, table, mistakes) for index, table in enumerate(tables))
        rules += [(top.where, rule) for rule in found if rule is not None]
    names = [str(table.get("name")) for _, tables in tops for table in tables]
    muted = [mutes(top, names) for top, _ in tops]
    for top, _ in tops:
        top.finish()
    mistakes += _twice(rules)
    if len(files) > 1 and not names and not mistakes:
        where = ", ".join(origin for origin, _ in files)
        mistakes.append(OperatorError(where, None, "hold no rules", "add at least one [[rule]] section"))
    ordered = sorted(rules, key=lambda one: one[1].name)
    together = Mutes(
        tuple(silence for one in muted for silence in one.silences),
        tuple(hours for one in muted for hours in one.quiet_hours),
        tuple(inhibition for one in muted for inhibition in one.inhibitions),
    )
    origins = {rule.name: origin for origin, rule in rules}
    return RuleSet(tuple(rule for _, rule in ordered), origins, together), mistakes


def _tables(top: Table, *, needed: bool) -> list[dict[str, Any]]:
    tables = top.values.get("rule", []) if top.has("rule") else []
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables) or (needed and not tables):
        top.wrong("rule", "holds no rules", "add at least one [[rule]] section")
        return []
    return tables


def _twice(rules: Sequence[tuple[str, Rule]]) -> list[OperatorError]:
    """A mistake for every name that stands more than once."""
    mistakes = []
    for name, count in Counter(rule.name for _, rule in rules).items():
        if count > 1:
            where = list(dict.fromkeys(origin for origin, rule in rules if rule.name == name))
            problem = f"stands {count} times" + (f", in {' and '.join(where)}" if len(where) > 1 else " in the file")
            thing = f"{where[-1]}: rule {name!r}: name"
            mistakes.append(OperatorError(thing, name, problem, "give each rule its own name"))
    return mistakes


def check_labels(rules: RuleSet, labels: Labels) -> list[OperatorError]:
    """The fields of the rules that a model with these labels does not have; such a rule would read 0 for ever."""
    mistakes = []
    for rule in rules.rules:
        for field in sorted(rule.fields):
            if fault := unknown_label(field, labels):
                thing = f"{rules.origins.get(rule.name, '')}: rule {rule.name!r}: {field}"
                mistakes.append(OperatorError(thing, fault[0], "is not a label of the model", suggest(*fault)))
    return mistakes


def _rule(origin: str, index: int, values: dict[str, Any], mistakes: list[OperatorError]) -> Rule | None:
    before = len(mistakes)
    name = values.get("name")
    table = Table(f"{origin}: rule {name!r}" if name else f"{origin}: rule number {index + 1}", values, mistakes)
    name = table.text("name")
    if name and not _NAME.fullmatch(name):
        table.wrong("name", "is not a plain name", "use small letters, digits and hyphens: 'credit-shock'")
    by = table.text("by", "entity", SUBJECTS)
    shape = PARSERS[table.text("shape", "threshold", tuple(PARSERS))](Parts(table))
    taken = match(table.table("match"))
    hold = _hold(table)
    lower_after_ms = table.seconds("lower_after_s", hold.keep_ms / 1000)
    unconfirmed_max = cast("Severity", table.text("unconfirmed_max", "severe", SEVERITIES))
    silent = shape.name == "flatline"
    denied_hold_ms = table.seconds("denied_hold_s", 0 if silent else DENIED_HOLD_MS / 1000)
    if silent and denied_hold_ms:
        table.wrong("denied_hold_s", "means nothing for flatline", "remove it: nobody can deny a silence")
    update_ms = table.seconds("update_s", 900, least=1)
    labels, owner = _labels(table.table("labels")), table.text("owner", "")
    if owner:
        labels.setdefault("owner", owner)
    per_minute_max = table.count("alerts_per_minute_max", 1) if table.has("alerts_per_minute_max") else None
    table.finish()
    if hold.for_ms > shape.measure.window_ms:
        table.wrong("for_s", "is longer than window_s", "wait no longer than the window: a text would leave it before")
    if len(mistakes) > before:
        return None
    condition = Condition(by, taken, shape, hold, lower_after_ms, unconfirmed_max, denied_hold_ms)
    return Rule(name, condition, update_ms, labels, owner, per_minute_max)


def _hold(table: Table) -> Hold:
    for_ms, keep_ms = table.seconds("for_s", 0), table.seconds("keep_firing_for_s", 0)
    cooldown_ms = table.seconds("cooldown_s", 0)
    backoff = table.number("cooldown_backoff", 1.0, least=1, most=100)
    if backoff == 1:
        if table.has("cooldown_s_max"):
            table.wrong("cooldown_s_max", "means nothing without cooldown_backoff", "add cooldown_backoff = 2")
        return Hold(for_ms, keep_ms, cooldown_ms)
    if not cooldown_ms:
        table.wrong("cooldown_backoff", "has no cooldown to lengthen", "add cooldown_s")
    most_ms = table.seconds("cooldown_s_max", min(SECONDS_MAX, 16 * cooldown_ms / 1000))
    if most_ms < cooldown_ms:
        table.wrong("cooldown_s_max", "is shorter than cooldown_s", "use more")
    return Hold(for_ms, keep_ms, cooldown_ms, backoff, most_ms)


def _labels(table: Table) -> dict[str, str]:
    return {key: table.text(key) for key in sorted(table.values)}
