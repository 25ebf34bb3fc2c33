"""One entity as its lane sees it: the texts behind it, and what every rule makes of them, at one moment.

    records of the state log of one entity ─► Subject.wake() ─► Picture(signals with their stories, rules)

Rule 1. Nothing is judged and nothing is changed: this reads what the watch stage wrote, as its next owner would.
Rule 2. A rule that is another here than where the state was written shows what it would see, and no life.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from riskstream.core.clock import format_ms
from riskstream.core.reading.families import Families
from riskstream.core.records import Phase, Severity, Signal, SubjectRef
from riskstream.core.rules.held import HeldReason
from riskstream.core.rules.rule import RuleSet, Taker
from riskstream.core.watching.cell import Cell
from riskstream.core.watching.panel import Panel
from riskstream.core.watching.state import LANE_KEY, split
from riskstream.core.watching.subjects import Subject
from riskstream.core.watching.takers import Takers

SIGNALS_MAX = 50
"""The newest texts of a picture, some 2 kB each."""


class Told(msgspec.Struct, frozen=True):
    """A text and the story that it tells, in the words of `Evidence`: first told at `story_since`, `copies` times
    before this one, carried by `carriers` sources up to it. They count as one voice: a copy says nothing of its own."""

    signal: Signal
    story: str
    story_since: str
    story_age_s: float
    copies: int
    carriers: int


class RuleView(msgspec.Struct, frozen=True):
    """What a rule sees of the entity. `says` is the value in words; `ready_at` is when a rule that needs history has
    enough of it; `since_at` since when it stands in this `phase`; `held` why its alert is not told."""

    rule: str
    rule_version: str
    shape: str
    phase: Phase
    value: float
    limits: dict[Severity, float]
    clear: float
    documents: int
    sources: int
    stories: int
    says: str
    since_at: str | None = None
    ready_at: str | None = None
    alert_id: str | None = None
    held: HeldReason | None = None


class Picture(msgspec.Struct, frozen=True):
    """What is remembered of an entity. `clock_at` is how far its lane had come, `as_of` the moment that windows end at;
    `documents` is how many are remembered, of which the newest are in `signals`; `denied_at` is when a denial settled
    what was said before."""

    name: str = ""
    clock_at: str | None = None
    as_of: str | None = None
    documents: int = 0
    signals: tuple[Told, ...] = ()
    rules: tuple[RuleView, ...] = ()
    denied_at: str | None = None


def picture(
    records: Mapping[bytes, bytes],
    lane: bytes | None,
    entity: SubjectRef,
    rules: RuleSet,
    families: Families,
    *,
    topic: str,
    now_ms: int,
) -> Picture:
    """The picture that an entity's records and its lane's give. Raises OperatorError for one that cannot be read."""
    kept = split({**records, LANE_KEY: lane} if lane is not None else records, topic)
    takers = Takers(rules, families)
    clock_ms = 0
    if kept.lane is not None:
        takers.restore(kept.lane.rules)
        clock_ms = kept.lane.clock_ms
    now_ms = max(now_ms, clock_ms)
    subject = Subject(entity, Panel(takers.of(entity.by, entity.id, families.groups_of(entity.id))))
    subject.sleeper = kept.sleepers.get(entity.id)
    if subject.sleeper is not None:
        subject.wake(now_ms)
    newest = sorted(subject.documents.values(), key=lambda one: one.sequence, reverse=True)
    signals = []
    for one in newest[:SIGNALS_MAX]:
        if one.signal is not None:
            placed = one.story(one.signal)
            age_s = max(0.0, (one.event_ms - placed.since_ms) / 1000)
            since = format_ms(placed.since_ms)
            signals.append(Told(one.signal, placed.story, since, age_s, placed.copies, placed.sources))
    settled = subject.talk.settled
    return Picture(
        name=subject.ref.name,
        clock_at=format_ms(clock_ms) if clock_ms else None,
        as_of=format_ms(now_ms),
        documents=len(newest),
        signals=tuple(signals),
        rules=tuple(_view(taker, subject) for taker in subject.panel.all),
        denied_at=format_ms(settled.at_ms) if settled is not None and not settled.overturned else None,
    )


def _view(taker: Taker, subject: Subject) -> RuleView:
    cell = subject.cells.get(taker.name) or Cell(taker, subject.ref)
    shape, view, life = taker.rule.condition.shape, cell.gauge.counts(), cell.life
    value, ready_ms = cell.gauge.value(), taker.warmth.ready_ms if shape.needs_ms is not None else None
    return RuleView(
        rule=taker.name,
        rule_version=taker.version,
        shape=shape.name,
        phase=life.phase,
        value=value,
        limits={limit.severity: limit.value for limit in shape.limits},
        clear=shape.clear.limit,
        documents=view.documents,
        sources=view.sources,
        stories=view.stories,
        says=cell.gauge.told(value),
        since_at=format_ms(life.since_ms) if life.phase != "idle" else None,
        ready_at=format_ms(ready_ms) if ready_ms is not None else None,
        alert_id=cell.open.alert.alert_id if cell.open is not None else None,
        held=cell.held,
    )
