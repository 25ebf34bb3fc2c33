"""One rule on one subject: its gauge, its life, and the alert that is open. A judgement makes at most one record.

    events ─► gauge ─ judge() ─► Verdict ─ step() ─► Life ─┬─ idle → firing     firing    fired
                                                           ├─ firing → firing   updated   raised, lowered, evidence
                                                           └─ firing → cooling  resolved  cleared, expired
                                          record ─► told, or held back (`Told`)

Rule 1. Judging depends only on the events and the time, so that judging more often changes nothing.
Rule 2. Raised at once; lowered to what the value or the number of sources reaches, after both stayed below its
        severity for `lower_after_ms`.
Rule 3. A new source or story is told at once; any other change at most every `update_ms`; no change, no record.
Rule 4. `value` and `limit` are the rule's own while that reaches the lowest limit, else those of the clear measure.
Rule 5. What is (`open`) and what was told (`told`) are apart. A record that is held back is told, as things stand
        then, when nothing holds it any more; an alert that ends before that was never told. A told one tells its end.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from riskstream.core.records import Alert, AlertReason, AlertState, Life, Severity, SubjectRef, Verdict, WindowView
from riskstream.core.rules.event import Event
from riskstream.core.rules.held import HeldReason
from riskstream.core.rules.levels import judge, limit_of, rank, reached
from riskstream.core.rules.life import IDLE, due_ms, ended, step
from riskstream.core.rules.mutes import Mutes
from riskstream.core.rules.rule import Taker
from riskstream.core.watching.cellstate import NOT_OPENED, Cause, CellState, Open, Told
from riskstream.core.watching.record import News, make_alert

LOOK_AGAIN_MS = 60_000
"""What is muted is looked at this often, so that a mute that was taken away ends within a minute."""
NONE = Mutes()


class Cell:
    """The state of one rule on one subject. `siblings` are the subject's cells, this one among them; `scheduled_ms` and
    `saved` belong to whoever keeps the schedule and the state."""

    __slots__ = (
        "gauge",
        "held",
        "life",
        "muted_until_ms",
        "open",
        "opening",
        "opening_ms",
        "saved",
        "scheduled_ms",
        "siblings",
        "subject",
        "taker",
        "told",
    )

    def __init__(self, taker: Taker, subject: SubjectRef, siblings: Mapping[str, Cell] | None = None) -> None:
        self.taker, self.subject = taker, subject
        self.siblings: Mapping[str, Cell] = {} if siblings is None else siblings
        self.gauge = taker.gauge(subject)
        self.life = IDLE
        self.opening, self.opening_ms = NOT_OPENED, 0
        self.open: Open | None = None
        self.told: Told | None = None
        self.held: HeldReason | None = None
        self.muted_until_ms: int | None = None
        self.scheduled_ms: int | None = None
        self.saved: CellState | None = None

    @property
    def idle(self) -> bool:
        """Nothing would be lost if the cell were dropped."""
        return self.life == IDLE and self.gauge.idle

    def add(self, event: Event, now_ms: int) -> bool:
        """Take an event that came at `now_ms`; False where it changes nothing."""
        return self.gauge.add(event, now_ms)

    def hear(self, heard_ms: int) -> None:
        """Somebody was heard, of whom no more is known."""
        self.gauge.hear(heard_ms)

    def remove(self, event_ms: int, sequence: int) -> bool:
        """Take an event out; False where it was not there (any more)."""
        return self.gauge.remove(event_ms, sequence)

    def advance(self, now_ms: int) -> None:
        """Let the windows go on."""
        self.gauge.advance(now_ms)

    def save(self) -> CellState | None:
        """What must be kept; None for nothing. Cheap: it is asked for after every judgement."""
        memory = self.gauge.memory()
        if self.life == IDLE and memory is None:
            return None
        version, opening = self.taker.version, self.opening
        return CellState(version, self.life, opening, self.opening_ms, self.open, self.told, self.held, memory)

    def restore(self, state: CellState) -> None:
        """Go on from what was kept. The subject's documents are added after this, each at the time of its arrival."""
        self.life, self.opening, self.opening_ms = state.life, state.opening, state.opening_ms
        self.open, self.told, self.held = state.open, state.told, state.held
        self.muted_until_ms = 0 if state.held else None
        self.gauge.recall(state.memory)
        self.saved = state

    def standing(self, now_ms: int) -> Severity | None:
        """The severity that the alert has when it is judged now, told or not; None where none stands."""
        self.gauge.advance(now_ms)
        view = self.gauge.view()
        verdict, life, _ = self._live(view, now_ms)
        if life.phase != "firing":
            return None
        return verdict.severity if self.open is None else self._level(self.open, view, verdict, now_ms)[0]

    def judge(self, now_ms: int, cause: Cause) -> Alert | None:
        """What there is to tell now, if anything."""
        self.gauge.advance(now_ms)
        return self._tell(self._judge(now_ms, cause), now_ms)

    def resolve(self, now_ms: int, reason: AlertReason) -> Alert | None:
        """End the open alert; None where there is none that was told."""
        return self._tell(self._resolve(now_ms, reason), now_ms)

    def deny(self, now_ms: int, denial: Event) -> Alert | None:
        """End the open alert because of a denial that has settled; it may open again after the cooldown."""
        record = self._resolve(now_ms, "denied", denial)
        if self.life.phase == "firing":
            self.life = ended(self.life, now_ms=now_ms)
        return self._tell(record, now_ms)

    def due_ms(self) -> int | None:
        """When judging could next do something although no signal comes; None for never."""
        if self.open is None and self.life == IDLE:
            return self.gauge.rise_ms()
        rule, phase = self.taker.rule, self.life.phase
        due = [due_ms(self.life, rule.condition.hold)]
        if phase in ("pending", "firing"):
            due.append(self.gauge.change_ms())
        else:
            due.append(self.gauge.rise_ms())
        if self.open is not None:
            if self.open.low_since_ms is not None:
                due.append(self.open.low_since_ms + rule.condition.lower_after_ms)
            if self.gauge.moves or self._changed(self.open.alert):
                due.append(self.open.published_ms + rule.update_ms)
            if self.held is not None:
                due.append(self.taker.room.free_ms() if self.held == "limit" else self.muted_until_ms)
        return min((ms for ms in due if ms is not None), default=None)

    def _judge(self, now_ms: int, cause: Cause) -> Alert | None:
        before = self.life
        if before == IDLE and self.gauge.value() < self.taker.lowest:
            return None
        view = self.gauge.view()
        verdict, self.life, held = self._live(view, now_ms)
        if before.phase in ("idle", "cooling") and self.life.phase in ("pending", "firing"):
            self.opening, self.opening_ms = cause, now_ms
        match before.phase, self.life.phase:
            case "firing", "firing":
                return self._update(view, verdict, now_ms, self.gauge.find(cause.id))
            case "firing", _:
                return self._resolve(now_ms, "expired" if self.gauge.empty else "cleared")
            case _, "firing" if verdict.severity is not None:
                return self._record("firing", "fired", verdict.severity, now_ms, self.gauge.find(cause.id))
            case _, "cooling" if held:
                self._hold("cooldown")
            case _, "idle" | "pending":
                self.held = None
        return None

    def _live(self, view: WindowView, now_ms: int) -> tuple[Verdict, Life, bool]:
        """The verdict, the life after it, and whether the rule trips or holds."""
        condition, firing = self.taker.rule.condition, self.life.phase == "firing"
        below = view.value < condition.shape.limits[0].value
        clear_holds = firing and below and self.gauge.clear_value() >= condition.shape.clear.limit
        limits = condition.shape.limits
        verdict = judge(limits, view, clear_holds=clear_holds)
        if rank(verdict.severity) > rank(condition.unconfirmed_max):
            bearing = verdict.limit if view.value >= verdict.limit else limits[0].value
            if not self.gauge.confirmed(bearing):
                verdict = judge(limits, view, clear_holds=clear_holds, most=condition.unconfirmed_max)
        held = verdict.holds if firing else verdict.severity is not None
        return verdict, step(self.life, condition.hold, held=held, now_ms=now_ms), held

    def _update(self, view: WindowView, verdict: Verdict, now_ms: int, came: Event | None) -> Alert | None:
        assert self.open is not None
        last = self.open.alert
        severity, low_since_ms = self._level(self.open, view, verdict, now_ms)
        if severity != last.severity:
            reason: AlertReason = "raised" if rank(severity) > rank(last.severity) else "lowered"
            return self._record("updated", reason, severity, now_ms, came)
        if low_since_ms != self.open.low_since_ms:
            self.open = msgspec.structs.replace(self.open, low_since_ms=low_since_ms)
        counts = self.gauge.counts()
        if counts.sources > last.sources or counts.stories > last.stories:
            return self._record("updated", "evidence", last.severity, now_ms, came)
        if now_ms - self.open.published_ms >= self.taker.rule.update_ms and self._changed(last):
            return self._record("updated", "evidence", last.severity, now_ms, came)
        return None

    def _level(self, there: Open, view: WindowView, verdict: Verdict, now_ms: int) -> tuple[Severity, int | None]:
        """The severity of an open alert now, and since when its value is below that."""
        last, condition = there.alert, self.taker.rule.condition
        if verdict.severity is not None and rank(verdict.severity) > rank(last.severity):
            return verdict.severity, None
        limits = condition.shape.limits
        lowest, level = limits[0].severity, max(reached(limits, view.value), verdict.severity, key=rank)
        if last.severity == lowest or rank(level) >= rank(last.severity):
            return last.severity, None
        low_since_ms = now_ms if there.low_since_ms is None else there.low_since_ms
        if now_ms - low_since_ms >= condition.lower_after_ms:
            return level or lowest, None
        return last.severity, low_since_ms

    def _resolve(self, now_ms: int, reason: AlertReason, denial: Event | None = None) -> Alert | None:
        if self.open is None:
            return None
        alert = self._record("resolved", reason, self.open.alert.severity, now_ms, denial)
        self.open = None
        return alert

    def _tell(self, record: Alert | None, now_ms: int) -> Alert | None:
        """The record that goes out: the one that was made, one that was held back before, or none."""
        told = self.told
        if self.open is None:
            if record is not None:
                self.told, self.held = None, None
            return record if told is not None else None
        if record is None and told is not None and told.current:
            return None
        severity = self.open.alert.severity
        why = self._muted(severity, now_ms)
        if why is None and told is None and not self.taker.room.take(now_ms):
            why = "limit"
        if why is not None:
            self._hold(why)
            self.told = told and msgspec.structs.replace(told, current=False)
            return None
        self.held = None
        if told is None:
            if record is None or record.state != "firing":
                record = self._record("firing", "fired", severity, now_ms)
        elif record is None or not told.current:
            change = rank(severity) - rank(told.severity)
            reason: AlertReason = "raised" if change > 0 else "lowered" if change < 0 else "evidence"
            record = self._record("updated", reason, severity, now_ms)
        self.told = Told(record.sequence, record.severity)
        return record

    def _muted(self, severity: Severity, now_ms: int) -> HeldReason | None:
        """Why the open alert may not be told now; None where it may."""
        mutes, self.muted_until_ms = self.taker.mutes, None
        if mutes == NONE:
            return None
        if found := mutes.why(self.subject.id, severity, now_ms):
            reason, ends_ms = found
            self.muted_until_ms = min(ends_ms, now_ms + LOOK_AGAIN_MS)
            return reason
        target = (self.subject.id, severity)
        for other in self.siblings.values():
            standing = other.standing(now_ms) if other is not self else None
            if standing is not None and mutes.inhibits(target, other.taker.kind, standing):
                self.muted_until_ms = now_ms + 1
                return "inhibited"
        return None

    def _hold(self, reason: HeldReason) -> None:
        """Note what is held back, once for each reason."""
        if self.held != reason:
            self.held = reason
            self.taker.held[reason] += 1

    def _changed(self, last: Alert) -> bool:
        counts = self.gauge.counts()
        seen = (last.value, last.limit, last.sources, last.documents, last.stories)
        value, limit, _ = self._explain(last.severity)
        return (value, limit, counts.sources, counts.documents, counts.stories) != seen

    def _explain(self, severity: Severity) -> tuple[float, float, str]:
        """The value, its limit and the value in words: what decides whether the alert goes on."""
        shape, value = self.taker.rule.condition.shape, self.gauge.value()
        if value >= shape.limits[0].value:
            return value, limit_of(shape.limits, severity), self.gauge.told(value)
        value = self.gauge.clear_value()
        return value, shape.clear.limit, self.gauge.told_clear(value)

    def _record(
        self, state: AlertState, reason: AlertReason, severity: Severity, now_ms: int, came: Event | None = None
    ) -> Alert:
        value, limit, what = self._explain(severity)
        last = self.open.alert if self.open else None
        sequence = self.told.sequence + 1 if self.told else 1
        news = News(state, reason, severity, value, limit, what, sequence, now_ms, came)
        alert = make_alert(self.taker, self.subject, self.gauge, news, self.opening, self.opening_ms, last)
        same = self.open is not None and severity == self.open.alert.severity
        self.open = Open(alert, now_ms, self.open.low_since_ms if same and self.open else None)
        return alert
