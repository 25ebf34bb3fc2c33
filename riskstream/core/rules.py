"""A rule as the watch uses it: whom it is about, which signals it takes, what it computes, when that is an alert.

    Signal ─ takes() ─► amount() ─► Window (fire) ─ value, counts ─┐
                             └────► Window (clear) ─ value ────────┴─ judge() ─► Verdict ─► life.step()

Rule 1. A rule is data. `version` is the hash of all of it, `condition_hash` of what decides.
Rule 2. The severity is the highest one whose limit the value reaches and whose gates (documents, sources) are passed.
Rule 3. Gates are asked before firing and raising only: an open alert is not lowered or cleared by them.
Rule 4. An open alert holds while the value reaches the lowest limit or the clear value its own limit.

A new shape is a struct beside `Threshold`, a parser in `rulefile.SHAPES` and a case in `judge`;
a new subject is a name in `SUBJECTS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from riskstream.core.life import Hold
from riskstream.core.records import MARKET, SEVERITIES, Severity, Signal, Verdict, WindowView
from riskstream.core.rules_fields import reader
from riskstream.core.windows import UNIT, Measure

SUBJECTS: dict[str, Callable[[Signal], str | None]] = {
    "entity": lambda signal: None if signal.entity.id == MARKET else signal.entity.id,
}
"""Whom a rule can be about: the subject's id of a signal, or None where the signal is about no such subject."""


class Match(msgspec.Struct, frozen=True):
    """Which signals a rule takes: those that pass every part that is there. `minima` are (field, least value)."""

    kinds: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    langs: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    minima: tuple[tuple[str, float], ...] = ()


class Limit(msgspec.Struct, frozen=True):
    """The value from which an alert has this severity, and how many documents and sources must support it."""

    severity: Severity
    value: float
    documents_min: int = 1
    sources_min: int = 1


class Clear(msgspec.Struct, frozen=True):
    """An open alert clears when this measure falls below the limit."""

    measure: Measure
    limit: float


class Threshold(msgspec.Struct, frozen=True, tag="threshold"):
    """The shape that fires when an aggregate reaches a limit. `limits` are from the lowest severity to the highest."""

    measure: Measure
    limits: tuple[Limit, ...]
    clear: Clear


class Condition(msgspec.Struct, frozen=True):
    """All of a rule that decides. `lower_after_ms` is how long a value stays below a severity before that falls."""

    by: str
    match: Match
    shape: Threshold
    hold: Hold
    lower_after_ms: int


class Rule(msgspec.Struct, frozen=True):
    """One rule. `update_ms` is the least time between two updates that bring no new source, story or severity."""

    name: str
    condition: Condition
    update_ms: int
    labels: dict[str, str] = {}
    owner: str = ""

    @property
    def shape_name(self) -> str:
        """The shape's name as it stands in the file and in the alert."""
        return str(self.condition.shape.__struct_config__.tag)

    @property
    def horizon_ms(self) -> int:
        """The age beyond which an event means nothing to this rule."""
        shape = self.condition.shape
        return max(shape.measure.window_ms, shape.clear.measure.window_ms)


class RuleSet(msgspec.Struct, frozen=True):
    """The rules of one file, sorted by name: the order in which they are judged. `origin` names the file."""

    rules: tuple[Rule, ...]
    origin: str = ""

    @property
    def horizon_ms(self) -> int:
        """The longest window of all rules."""
        return max((rule.horizon_ms for rule in self.rules), default=0)


def version(rule: Rule) -> str:
    """`sha256:` and the hash of the whole rule, however its file was laid out."""
    return _hash(rule)


def condition_hash(rule: Rule) -> str:
    """The hash of what decides; it goes into the alert's id."""
    return _hash(rule.condition)


def _hash(value: Rule | Condition) -> str:
    return "sha256:" + hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def may_take(rule: Rule, by: str, subject_id: str, groups: tuple[str, ...]) -> bool:
    """Whether a rule can ever take a signal of this subject: what does not change from one signal to the next."""
    match = rule.condition.match
    return (
        rule.condition.by == by
        and (not match.entities or subject_id in match.entities)
        and (not match.groups or any(group in match.groups for group in groups))
    )


class Taker:
    """A rule made ready to be asked for every signal."""

    __slots__ = (
        "_kinds",
        "_langs",
        "_minima",
        "_read",
        "_sources",
        "condition_hash",
        "horizon_ms",
        "name",
        "rule",
        "version",
    )

    def __init__(self, rule: Rule) -> None:
        match = rule.condition.match
        self.rule = rule
        self.name, self.horizon_ms = rule.name, rule.horizon_ms
        self.version = version(rule)
        self.condition_hash = condition_hash(rule)
        self._kinds = frozenset(match.kinds)
        self._sources = frozenset(match.sources)
        self._langs = frozenset(match.langs)
        self._minima = tuple((reader(field), least) for field, least in match.minima)
        self._read = reader(rule.condition.shape.measure.field)

    def takes(self, signal: Signal) -> bool:
        """The signal passes every part of the match that may differ between signals of one subject."""
        if self._kinds and signal.kind not in self._kinds:
            return False
        if self._sources and signal.source not in self._sources:
            return False
        if self._langs and signal.lang not in self._langs:
            return False
        return not self._minima or all(read(signal) >= least for read, least in self._minima)

    def amount(self, signal: Signal) -> int:
        """The rule's field of the signal, in ten-thousandths."""
        return round(self._read(signal) * UNIT)


def judge(shape: Threshold, view: WindowView, clear_value: float) -> Verdict:
    """What the shape says of a view. `clear_value` is the value of the clear measure over its own window."""
    severity, limit = None, shape.limits[0].value
    for candidate in shape.limits:
        passed = view.documents >= candidate.documents_min and view.sources >= candidate.sources_min
        if passed and view.value >= candidate.value:
            severity, limit = candidate.severity, candidate.value
    holds = view.value >= shape.limits[0].value or clear_value >= shape.clear.limit
    return Verdict(severity, holds, limit)


def reached(shape: Threshold, value: float) -> Severity | None:
    """The highest severity whose limit a value reaches, whatever the gates say."""
    return next((limit.severity for limit in reversed(shape.limits) if value >= limit.value), None)


def limit_of(shape: Threshold, severity: Severity) -> float:
    """The limit of one of the shape's severities."""
    return next(limit.value for limit in shape.limits if limit.severity == severity)


def rank(severity: Severity | None) -> int:
    """0 for none, then 1 to 3."""
    return 0 if severity is None else SEVERITIES.index(severity) + 1
