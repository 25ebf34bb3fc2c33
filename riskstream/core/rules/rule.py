"""A rule as the watch uses it: whom it is about, which signals it takes, what it computes, when that is an alert.

    Signal ─ Taker.takes() ─► Taker.event() ─► Gauge of the shape ─► levels.judge() ─► life.step() ─► alert

Rule 1. A rule is data. `version` is the hash of all of it, `condition_hash` of what decides. What has its default value
        is left out of the hash, so that a new key of riskstream changes no rule that does not use it.
Rule 2. A `Taker` is one rule in one lane: what is asked for every signal, ready made, and what the lane keeps of it.

A new shape is a file in `shapes/`; a new subject is a name in `SUBJECTS`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import partial

import msgspec

from riskstream.core.measure import UNIT
from riskstream.core.reading.families import Families
from riskstream.core.records import Severity, Signal, SubjectRef
from riskstream.core.rules.basket import Basket
from riskstream.core.rules.denial import DENYING
from riskstream.core.rules.event import Event
from riskstream.core.rules.fields import reader
from riskstream.core.rules.held import HeldReason
from riskstream.core.rules.life import Hold
from riskstream.core.rules.match import Match, Sieve
from riskstream.core.rules.mutes import Kind, Mutes
from riskstream.core.rules.novelty import Placed
from riskstream.core.rules.room import Room
from riskstream.core.rules.shapes import AnyShape, Gauge
from riskstream.core.rules.shapes.base import MakeWindow
from riskstream.core.rules.shapes.flatline import Flatline
from riskstream.core.rules.shapes.sequence import Sequence
from riskstream.core.rules.warmth import Warmth
from riskstream.core.rules.windows import Window

SUBJECTS = ("entity", "group", "portfolio", "source", "market")
"""Whom a rule can be about."""


NO_LIMIT = 2**31
DENIED_HOLD_MS = 259_200_000
"""Three days: what a paper looks back on after that is news again."""


class Condition(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of a rule that decides. `lower_after_ms` is how long a value stays below a severity before that falls;
    `unconfirmed_max` the highest severity without a report of a fact; `denied_hold_ms` how long after a settled denial
    nothing counts but what overturns it, 0 where denials are not heeded."""

    by: str
    match: Match
    shape: AnyShape
    hold: Hold
    lower_after_ms: int
    unconfirmed_max: Severity = "severe"
    denied_hold_ms: int = DENIED_HOLD_MS


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule. `update_ms` is the least time between two updates that bring no new source, story or severity;
    `per_minute_max` how many alerts it may open in a lane within a minute."""

    name: str
    condition: Condition
    update_ms: int
    labels: dict[str, str] = {}
    owner: str = ""
    per_minute_max: int | None = None

    @property
    def shape_name(self) -> str:
        """The shape's name as it stands in the file and in the alert."""
        return self.condition.shape.name

    @property
    def horizon_ms(self) -> int:
        """The age beyond which an event means nothing to this rule."""
        return self.condition.shape.horizon_ms

    @property
    def fields(self) -> frozenset[str]:
        """Every field of a signal that the rule looks at."""
        shape = self.condition.shape
        matches = [self.condition.match, *(shape.steps if isinstance(shape, Sequence) else ())]
        return frozenset({shape.measure.field, *(field for match in matches for field, _ in match.minima)})


class RuleSet(msgspec.Struct, frozen=True):
    """Rules sorted by name, the order in which they are judged, and what mutes them. `origins` are their files."""

    rules: tuple[Rule, ...]
    origins: dict[str, str] = {}
    mutes: Mutes = Mutes()

    @property
    def rolls_up(self) -> bool:
        """A rule is about others than entities."""
        return any(rule.condition.by != "entity" for rule in self.rules)

    @property
    def hears(self) -> bool:
        """A rule waits for the silence of a source."""
        return any(rule.condition.by == "source" and rule.shape_name == "flatline" for rule in self.rules)

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
    if rule.condition.by != by:
        return False
    if by == "entity" and match.entities and subject_id not in match.entities:
        return False
    of_groups = by in ("entity", "group", "portfolio")
    return not of_groups or not match.groups or any(group in match.groups for group in groups)


NOBODY = Families({})


class Taker:
    """One rule in one lane. `warmth` and `room` are what the lane keeps of it beside its subjects; `mutes` are
    those that may concern it, and `held` counts what was held back."""

    __slots__ = (
        "_families",
        "_read",
        "_sieve",
        "_steps",
        "condition_hash",
        "copies_max",
        "held",
        "horizon_ms",
        "kind",
        "lowest",
        "mutes",
        "name",
        "room",
        "rule",
        "version",
        "warmth",
    )

    def __init__(self, rule: Rule, families: Families = NOBODY) -> None:
        shape = rule.condition.shape
        self.rule = rule
        self.name, self.horizon_ms = rule.name, rule.horizon_ms
        self.version = version(rule)
        self.condition_hash = condition_hash(rule)
        self.lowest = shape.limits[0].value
        most = rule.condition.match.copies_max
        self.copies_max = NO_LIMIT if most is None else most
        self.warmth = Warmth(self.version, shape.needs_ms or 0)
        self.room = Room(rule.per_minute_max)
        self.held: Counter[HeldReason] = Counter()
        self.kind = Kind(rule.name, rule.shape_name, rule.labels)
        self.mutes = Mutes()
        self.limit_to(families)
        self._steps = [Sieve(step) for step in shape.steps] if isinstance(shape, Sequence) else None
        self._read = reader(shape.measure.field)

    @property
    def asks(self) -> bool:
        """It does not take just any signal of a subject that it may be about."""
        match = msgspec.structs.replace(self.rule.condition.match, entities=(), groups=())
        return self._steps is not None or self._sieve.narrow or match != Match()

    def limit_to(self, families: Families) -> None:
        """Know who belongs to what: whom a rule about a source or the market takes, and how a portfolio is weighed."""
        match, by = self.rule.condition.match, self.rule.condition.by
        self._families = families
        passing = [frozenset(match.entities)] if match.entities and by != "entity" else []
        if match.groups and by in ("source", "market"):
            passing.append(families.members_of(match.groups))
        self._sieve = Sieve(match, frozenset.intersection(*passing) if passing else None)

    def gauge(self, subject: SubjectRef) -> Gauge:
        """What the rule sees of a subject, still empty."""
        make: MakeWindow = Window
        if subject.by == "portfolio":
            make = partial(Basket, shares=lambda: self._families.shares_of(subject.id))
        return self.rule.condition.shape.gauge(self.warmth, make)

    def takes(self, signal: Signal) -> bool:
        """The signal passes every part of the match that may differ between signals of one subject."""
        return self._sieve.takes(signal) and (self._steps is None or any(step.takes(signal) for step in self._steps))

    def hears(self, source: str, kind: str, lang: str) -> bool:
        """The rule waits for this source, whatever it says: the shape is `flatline` and asks for nothing else."""
        return isinstance(self.rule.condition.shape, Flatline) and self._sieve.hears(source, kind, lang)

    def event(self, event_ms: int, sequence: int, signal: Signal, placed: Placed) -> Event:
        """A signal as the rule sees it: its field in ten-thousandths, and the steps that it fits."""
        amount, steps = round(self._read(signal) * UNIT), 0
        if self._steps is not None:
            taking = (step.takes(signal, placed.copies) for step in self._steps)
            steps = sum(1 << number for number, takes in enumerate(taking) if takes)
        voice = "" if signal.stance in DENYING else placed.voice
        return Event(event_ms, sequence, amount, signal, placed, voice, steps)
