"""One rule on one subject: its windows, its life, and the alert that is open. A judgement makes at most one record.

    events ─► windows ─ judge() ─► Verdict ─ step() ─► Life ─┬─ idle → firing     firing    fired
                                                             ├─ firing → firing   updated   raised, lowered, evidence
                                                             └─ firing → cooling  resolved  cleared, expired

Rule 1. Judging depends only on the events and the time, so that judging more often changes nothing.
Rule 2. Raised at once; lowered to what the value reaches after it stayed below its severity for `lower_after_ms`.
Rule 3. A new source or story is told at once; any other change at most every `update_ms`; no change, no record.
Rule 4. Counts and evidence are over the wider of the two windows: what holds an alert open is also what it shows.
Rule 5. `value` and `limit` are the rule's own while that reaches the lowest limit, else those of the clear measure.
"""

from __future__ import annotations

import hashlib

import msgspec

from riskstream.core.clock import format_ms
from riskstream.core.evidence import EVIDENCE_MAX, evidence_of, summary
from riskstream.core.life import IDLE, due_ms, step
from riskstream.core.records import (
    Alert,
    AlertReason,
    AlertState,
    Evidence,
    Severity,
    SubjectRef,
    Verdict,
    WindowView,
)
from riskstream.core.rules import Taker, judge, limit_of, rank, reached
from riskstream.core.windows import Event, Measure, Window


class Cause(msgspec.Struct, frozen=True):
    """What made us judge: a signal and its event time, or a tick and its time."""

    id: str
    event_ms: int

    @classmethod
    def tick(cls, now_ms: int) -> Cause:
        """The clock itself."""
        return cls("tick", now_ms)


class Open(msgspec.Struct, frozen=True):
    """The open alert: its last record, when that was made, and since when its value is below its severity."""

    alert: Alert
    published_ms: int
    low_since_ms: int | None = None


class Cell:
    """The state of one rule on one subject. `scheduled_ms` belongs to whoever keeps the schedule."""

    __slots__ = ("clear", "fire", "life", "open", "opening", "opening_ms", "scheduled_ms", "subject", "taker")

    def __init__(self, taker: Taker, subject: SubjectRef) -> None:
        shape = taker.rule.condition.shape
        self.taker, self.subject = taker, subject
        self.fire = Window(shape.measure)
        self.clear = self.fire if shape.clear.measure == shape.measure else Window(shape.clear.measure)
        self.life = IDLE
        self.opening, self.opening_ms = Cause("", 0), 0
        self.open: Open | None = None
        self.scheduled_ms: int | None = None

    @property
    def idle(self) -> bool:
        """Nothing would be lost if the cell were dropped."""
        return self.life.phase == "idle" and not self.wide.events

    @property
    def wide(self) -> Window:
        """The longer of the two windows."""
        return self.fire if self.fire.measure.window_ms > self.clear.measure.window_ms else self.clear

    def add(self, event: Event, now_ms: int) -> bool:
        """Take an event into the windows that it is not too old for; False where it is too old for both."""
        added = False
        for window in (self.fire,) if self.clear is self.fire else (self.fire, self.clear):
            if event.event_ms > now_ms - window.measure.window_ms:
                window.add(event)
                added = True
        return added

    def remove(self, event_ms: int, sequence: int) -> bool:
        """Take an event out; False where it was not there (any more)."""
        removed = self.fire.remove(event_ms, sequence)
        return (self.clear is not self.fire and self.clear.remove(event_ms, sequence)) or removed

    def advance(self, now_ms: int) -> None:
        """Let the windows go on."""
        self.fire.advance(now_ms)
        if self.clear is not self.fire:
            self.clear.advance(now_ms)

    def judge(self, now_ms: int, cause: Cause) -> Alert | None:
        """What happens now, if anything."""
        self.advance(now_ms)
        condition, before = self.taker.rule.condition, self.life
        view = self.fire.view()
        firing = before.phase == "firing"
        below = view.value < condition.shape.limits[0].value
        if below and before.phase == "idle":
            return None
        verdict = judge(condition.shape, view, self.clear.value() if firing and below else 0.0)
        held = verdict.holds if firing else verdict.severity is not None
        self.life = step(before, condition.hold, held=held, now_ms=now_ms)
        if before.phase in ("idle", "cooling") and self.life.phase in ("pending", "firing"):
            self.opening, self.opening_ms = cause, now_ms
        match before.phase, self.life.phase:
            case "firing", "firing":
                return self._update(view, verdict, now_ms)
            case "firing", _:
                return self.resolve(now_ms, "cleared" if self.wide.events else "expired")
            case _, "firing" if verdict.severity is not None:
                return self._publish("firing", "fired", verdict.severity, now_ms)
        return None

    def resolve(self, now_ms: int, reason: AlertReason) -> Alert | None:
        """End the open alert; None where there is none."""
        if self.open is None:
            return None
        alert = self._publish("resolved", reason, self.open.alert.severity, now_ms)
        self.open = None
        return alert

    def due_ms(self) -> int | None:
        """When judging could next do something although no signal comes; None for never."""
        phase, shape = self.life.phase, self.taker.rule.condition.shape
        due = [due_ms(self.life, self.taker.rule.condition.hold)]
        if phase in ("pending", "firing"):
            due += [self.fire.due_ms(), self.clear.due_ms()]
        elif phase == "idle" and _can_rise(self.fire, shape.limits[0].value):
            due.append(self.fire.due_ms())
        if self.open is not None:
            if self.open.low_since_ms is not None:
                due.append(self.open.low_since_ms + self.taker.rule.condition.lower_after_ms)
            if self._changed(self.open.alert):
                due.append(self.open.published_ms + self.taker.rule.update_ms)
        return min((ms for ms in due if ms is not None), default=None)

    def _update(self, view: WindowView, verdict: Verdict, now_ms: int) -> Alert | None:
        assert self.open is not None
        last, condition = self.open.alert, self.taker.rule.condition
        if rank(verdict.severity) > rank(last.severity) and verdict.severity is not None:
            return self._publish("updated", "raised", verdict.severity, now_ms)
        lowest, level = condition.shape.limits[0].severity, reached(condition.shape, view.value)
        low_since_ms = None
        if last.severity != lowest and rank(level) < rank(last.severity):
            low_since_ms = now_ms if self.open.low_since_ms is None else self.open.low_since_ms
            if now_ms - low_since_ms >= condition.lower_after_ms:
                return self._publish("updated", "lowered", level or lowest, now_ms)
        if low_since_ms != self.open.low_since_ms:
            self.open = msgspec.structs.replace(self.open, low_since_ms=low_since_ms)
        wide = self.wide.view()
        if wide.sources > last.sources or wide.stories > last.stories:
            return self._publish("updated", "evidence", last.severity, now_ms)
        if now_ms - self.open.published_ms >= self.taker.rule.update_ms and self._changed(last):
            return self._publish("updated", "evidence", last.severity, now_ms)
        return None

    def _changed(self, last: Alert) -> bool:
        wide = self.wide.view()
        seen = (last.value, last.limit, last.sources, last.documents, last.stories)
        value, limit, _ = self._explain(last.severity)
        return (value, limit, wide.sources, wide.documents, wide.stories) != seen

    def _explain(self, severity: Severity) -> tuple[float, float, Measure]:
        """The value, its limit and how it is measured: what decides whether the alert goes on."""
        shape, value = self.taker.rule.condition.shape, self.fire.value()
        if value >= shape.limits[0].value:
            return value, limit_of(shape, severity), shape.measure
        return self.clear.value(), shape.clear.limit, shape.clear.measure

    def _publish(self, state: AlertState, reason: AlertReason, severity: Severity, now_ms: int) -> Alert:
        last = self.open.alert if self.open else None
        rule, view = self.taker.rule, self.wide.view()
        first, newest = self.wide.first(), self.wide.last()
        evidence: tuple[Evidence, ...] = evidence_of(self.wide.best(EVIDENCE_MAX)) or (last.evidence if last else ())
        value, limit, measure = self._explain(severity)
        counts = (view.documents, view.stories, view.sources)
        standing = f"resolved ({reason.replace('_', ' ')})" if state == "resolved" else severity
        seen = [last.first_seen_at] if last else []
        seen += [format_ms(first.event_ms)] if first else []
        best = evidence[0] if evidence else None
        alert = Alert(
            alert_id=last.alert_id if last else self._id(),
            sequence=last.sequence + 1 if last else 1,
            rule=rule.name,
            rule_version=self.taker.version,
            subject=self.subject,
            entity=newest.signal.entity if newest else last.entity if last else None,
            state=state,
            severity=severity,
            shape=rule.shape_name,
            reason=reason,
            value=value,
            limit=limit,
            starts_at=last.starts_at if last else format_ms(self.opening.event_ms),
            updated_at=format_ms(now_ms),
            ends_at=format_ms(now_ms) if state == "resolved" else None,
            first_seen_at=min(seen),
            sources=view.sources,
            documents=view.documents,
            stories=view.stories,
            summary=summary(self.subject.name, standing, measure, value=value, limit=limit, counts=counts, best=best),
            labels=rule.labels,
            evidence=evidence,
            model=newest.signal.model if newest else last.model if last else "",
        )
        same = self.open is not None and reason == "evidence"
        self.open = Open(alert, now_ms, self.open.low_since_ms if same and self.open else None)
        return alert

    def _id(self) -> str:
        """The same for every replay: the rule, what it decides by, the subject, and what opened the alert when."""
        parts = (
            self.taker.rule.name,
            self.taker.condition_hash,
            self.subject.by,
            self.subject.id,
            str(self.opening_ms),
            self.opening.id,
        )
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _can_rise(window: Window, lowest: float) -> bool:
    """Whether the value may reach the limit because an event leaves: only a mean can, and only with an event above."""
    return window.measure.aggregate in ("mean", "decayed_mean") and window.top() >= lowest
