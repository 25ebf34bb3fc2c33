"""The watch engine of one lane: signals and time in, alerts out.

    on_signal(signal, append_ms) ─► ticks up to append_ms ─► subject.take() ─► judge the cells that changed ─► Step
    on_time(now_ms) ──────────────► ticks up to now_ms ──────────────────────► judge the cells that are due ─► alerts

Rule 1. The clock is the greatest append time and tick so far; it never goes back.
Rule 2. Every rule is judged at every tick of the 1 s grid, in effect: a cell says when judging could next do something
        and is judged at the first tick at or after that; an hour in which nothing is due costs nothing.
Rule 3. Ticks run before the signal that passes them. Within a tick the order is subject, then rule, by name.
Rule 4. An event's time is when it was published, or its arrival where the signal is `clamped`; one that lies ahead of
        the clock counts as at the clock. `late` signals are counted and kept out of windows.
Rule 5. A subject is dropped when its windows and its memory of documents are empty and no rule waits or cools on it.

One honest doubt: after `events_max` documents of one subject within the horizon the oldest is forgotten, so a copy of
it that comes again then counts as new. `dropped` says how often it was so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from heapq import heappop, heappush

import msgspec

from riskstream.core.cell import Cell
from riskstream.core.cellstate import Cause
from riskstream.core.clock import TICK_MS, parse_ms
from riskstream.core.records import Alert, AlertReason, Signal, SubjectRef, Watched
from riskstream.core.rules import SUBJECTS, RuleSet, Taker, may_take
from riskstream.core.subjects import Outcome, Subject
from riskstream.core.takers import Takers

_BY = "entity"
_HOUSEKEEPING = ""
"""Stands in the schedule where a rule's name does: sorts before every rule."""


class WatchLimits(msgspec.Struct, frozen=True):
    """`events_max` documents are remembered for each subject: 4096 in a day is more than any entity of a feed has, and
    about 8 MB. `memory_margin_ms` is how much longer than the longest window a document is remembered as seen."""

    events_max: int = 4096
    memory_margin_ms: int = 3_600_000


class Step(msgspec.Struct, frozen=True):
    """What one signal did: the alerts in order, those of the ticks before it included, and what became of itself."""

    alerts: tuple[Alert, ...]
    outcome: Outcome


class Watch:
    """The state of one lane of signals. Not shared between lanes: a subject is in one lane only."""

    def __init__(self, rules: RuleSet, watchlist: Mapping[str, Watched], *, limits: WatchLimits | None = None) -> None:
        self.limits = limits or WatchLimits()
        self.watchlist = watchlist
        self.clock_ms = 0
        self.late = 0
        self.dropped = 0
        self._subjects: dict[str, Subject] = {}
        self._due: list[tuple[int, str, str]] = []
        self._open: dict[str, Alert] = {}
        self.takers = Takers(rules)
        self._memory_ms = self._memory_of(rules)

    @property
    def rules(self) -> RuleSet:
        """The rules that are in force."""
        return self.takers.rules

    @property
    def subjects(self) -> int:
        """Subjects of which something is remembered."""
        return len(self._subjects)

    @property
    def events(self) -> int:
        """Documents that are remembered, over all subjects."""
        return sum(len(subject.documents) for subject in self._subjects.values())

    def open_alerts(self) -> tuple[Alert, ...]:
        """The last record of every open alert, the longest open first."""
        return tuple(self._open.values())

    def on_signal(self, signal: Signal, append_ms: int) -> Step:
        """Run the ticks before a signal that the broker appended at `append_ms`, then judge what it changes."""
        alerts = self._run_ticks(append_ms)
        self.clock_ms = max(self.clock_ms, append_ms)
        if signal.late:
            self.late += 1
            return Step(tuple(alerts), "late")
        self.takers.hear(signal.model, self.clock_ms)
        subject_id = SUBJECTS[_BY](signal)
        if subject_id is None:
            return Step(tuple(alerts), "accepted")
        subject = self._subjects.get(subject_id) or self._subject(subject_id, signal.entity.name)
        event_ms = min(parse_ms(signal.received_at if signal.clamped else signal.published_at), self.clock_ms)
        intake = subject.take(
            signal, event_ms, self.clock_ms, memory_ms=self._memory_ms, events_max=self.limits.events_max
        )
        self.dropped += intake.dropped
        cause = Cause(signal.signal_id, event_ms)
        for cell in intake.changed:
            self._judge(cell, cause, alerts)
        if subject.housekeeping_ms is None:
            self._keep_house(subject, self.clock_ms + self._memory_ms)
        return Step(tuple(alerts), intake.outcome)

    def on_time(self, now_ms: int) -> tuple[Alert, ...]:
        """Run the ticks up to `now_ms`; the clock goes to the last tick of the grid, and never back."""
        alerts = self._run_ticks(now_ms)
        self.clock_ms = max(self.clock_ms, now_ms // TICK_MS * TICK_MS)
        return tuple(alerts)

    def replace_rules(self, rules: RuleSet, now_ms: int) -> tuple[Alert, ...]:
        """Go on with other rules. An unchanged one keeps its lives; what a changed or removed one has open is resolved.
        A new or changed rule sees what is remembered and may fire at once."""
        alerts = list(self.on_time(now_ms))
        self.takers.replace(rules, self.clock_ms - self._memory_ms)
        self._memory_ms = self._memory_of(rules)
        versions = {taker.name: taker.version for taker in self.takers.all}

        def reason(cell: Cell) -> AlertReason | None:
            if versions.get(cell.taker.name) == cell.taker.version:
                return None
            return "rule_changed" if cell.taker.name in versions else "rule_removed"

        self._rebuild(alerts, reason)
        return tuple(alerts)

    def replace_watchlist(self, watchlist: Mapping[str, Watched], now_ms: int) -> tuple[Alert, ...]:
        """Go on with another watchlist. Alerts about entities that left it, or left a rule's groups, are resolved."""
        alerts = list(self.on_time(now_ms))
        gone = self.watchlist.keys() - watchlist.keys()
        self.watchlist = watchlist

        def reason(cell: Cell) -> AlertReason | None:
            taken = may_take(cell.taker.rule, _BY, cell.subject.id, self._groups(cell.subject.id))
            return None if taken and cell.subject.id not in gone else "entity_removed"

        self._rebuild(alerts, reason, gone)
        return tuple(alerts)

    def _memory_of(self, rules: RuleSet) -> int:
        return rules.horizon_ms + self.limits.memory_margin_ms

    def _rebuild(
        self, alerts: list[Alert], reason: Callable[[Cell], AlertReason | None], gone: Set[str] = frozenset()
    ) -> None:
        """Drop the cells for which there is a reason to, resolving what they have open, and make those that are new."""
        for subject_id in sorted(self._subjects):
            subject = self._subjects[subject_id]
            for name in sorted(subject.cells):
                cell = subject.cells[name]
                if why := reason(cell):
                    cell.advance(self.clock_ms)
                    self._note(cell.resolve(self.clock_ms, why), alerts)
                    del subject.cells[name]
            if subject_id in gone:
                del self._subjects[subject_id]
                continue
            for cell in subject.adopt(self._takers_of(subject_id), self.clock_ms):
                self._judge(cell, Cause.tick(self.clock_ms), alerts)

    def _run_ticks(self, upto_ms: int) -> list[Alert]:
        alerts: list[Alert] = []
        due = self._due
        while due and due[0][0] <= upto_ms:
            tick_ms, subject_id, name = heappop(due)
            self.clock_ms = max(self.clock_ms, tick_ms)
            subject = self._subjects.get(subject_id)
            if subject is None:
                continue
            if name == _HOUSEKEEPING:
                if subject.housekeeping_ms == tick_ms:
                    self._clean(subject)
            elif (cell := subject.cells.get(name)) is not None and cell.scheduled_ms == tick_ms:
                cell.scheduled_ms = None
                self._judge(cell, Cause.tick(tick_ms), alerts)
        return alerts

    def _judge(self, cell: Cell, cause: Cause, alerts: list[Alert]) -> None:
        self._note(cell.judge(self.clock_ms, cause), alerts)
        due_ms = self._due_ms(cell)
        if due_ms is None:
            return
        tick_ms = self._tick(due_ms)
        if cell.scheduled_ms is None or tick_ms < cell.scheduled_ms:
            cell.scheduled_ms = tick_ms
            heappush(self._due, (tick_ms, cell.subject.id, cell.taker.rule.name))

    def _due_ms(self, cell: Cell) -> int | None:
        return cell.due_ms()

    def _tick(self, due_ms: int) -> int:
        """The first tick at or after a time that has not run yet."""
        return max(-(-due_ms // TICK_MS), self.clock_ms // TICK_MS + 1) * TICK_MS

    def _note(self, alert: Alert | None, alerts: list[Alert]) -> None:
        if alert is None:
            return
        alerts.append(alert)
        if alert.state == "resolved":
            self._open.pop(alert.alert_id, None)
        else:
            self._open[alert.alert_id] = alert

    def _clean(self, subject: Subject) -> None:
        due_ms = subject.forget(self.clock_ms, self._memory_ms)
        if due_ms is None:
            del self._subjects[subject.ref.id]
        else:
            self._keep_house(subject, max(due_ms, self.clock_ms + 60 * TICK_MS))

    def _keep_house(self, subject: Subject, due_ms: int) -> None:
        subject.housekeeping_ms = self._tick(due_ms)
        heappush(self._due, (subject.housekeeping_ms, subject.ref.id, _HOUSEKEEPING))

    def _subject(self, subject_id: str, name: str) -> Subject:
        watched = self.watchlist.get(subject_id)
        ref = SubjectRef(_BY, subject_id, watched.name if watched else name)
        subject = self._subjects[subject_id] = Subject(ref, self._takers_of(subject_id))
        return subject

    def _takers_of(self, subject_id: str) -> tuple[Taker, ...]:
        return self.takers.of(_BY, subject_id, self._groups(subject_id))

    def _groups(self, subject_id: str) -> tuple[str, ...]:
        watched = self.watchlist.get(subject_id)
        return watched.groups if watched else ()
