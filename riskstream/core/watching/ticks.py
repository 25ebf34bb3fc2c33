"""The clock of a lane and all that it sets going: cells that are due, subjects that wake, memory that is given back.

    run(upto_ms) ─► the next entry of the schedule ─┬─ a cell ─────► judge() ─► an alert, its next due time
                                                    └─ the subject ► wake() from its records, or give back what is old

Rule 1. The clock never goes back. While an entry runs it stands at that entry's tick.
Rule 2. A cell says when judging could next do something, and is judged at the first tick at or after that.
Rule 3. What a cell has to keep is written whenever a judgement changed it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

from riskstream.core.records import Alert, AlertReason
from riskstream.core.watching.cell import Cell
from riskstream.core.watching.cellstate import Cause, CellState, ended
from riskstream.core.watching.schedule import HOUSEKEEPING, Schedule
from riskstream.core.watching.settling import let_go, settle
from riskstream.core.watching.shelf import Shelf
from riskstream.core.watching.state import RULE, Journal, earliest
from riskstream.core.watching.subjects import Subject

EvictedBy = Literal["idle", "limit"]
EVICTION_TRIES_MAX = 16
"""Subjects that one signal looks at to find one that may go; those that may not are at the back of the shelf then."""
HOUSEKEEPING_MS_MIN = 60_000


class Ticks:
    """The clock, the schedule and the open alerts of one lane. `memory_ms`: how long a document is remembered."""

    def __init__(self, shelf: Shelf, journal: Journal | None, memory_margin_ms: int) -> None:
        self.clock_ms = 0
        self.opened: dict[str, Alert] = {}
        self.evicted: Counter[EvictedBy] = Counter()
        self.due_ms: Callable[[Cell], int | None] = Cell.due_ms
        self._shelf, self._journal, self._memory_margin_ms = shelf, journal, memory_margin_ms
        self._schedule = Schedule()

    @property
    def memory_ms(self) -> int:
        """How long a document is remembered: longer than any window."""
        return self._shelf.horizon_ms + self._memory_margin_ms

    def run(self, upto_ms: int) -> list[Alert]:
        """What is due up to a time; the clock stands at the last tick at which something was."""
        alerts: list[Alert] = []
        while (entry := self._schedule.pop(upto_ms)) is not None:
            tick_ms, subject_id, name = entry
            self.clock_ms = max(self.clock_ms, tick_ms)
            subject = self._shelf.get(subject_id)
            if subject is None:
                continue
            if name == HOUSEKEEPING:
                if subject.housekeeping_ms != tick_ms:
                    continue
                if subject.sleeper is not None:
                    self.wake(subject, alerts, at_tick=True)
                if self._shelf.get(subject_id) is subject:
                    self._clean(subject)
            elif (cell := subject.cells.get(name)) is not None and cell.scheduled_ms == tick_ms:
                cell.scheduled_ms = None
                self.judge(cell, Cause.tick(tick_ms), alerts)
        return alerts

    def judge(self, cell: Cell, cause: Cause, alerts: list[Alert]) -> None:
        """Judge a cell now; note what it has to say, what it has to keep and when it is due."""
        alert = cell.judge(self.clock_ms, cause)
        if alert is not None:
            self.note(alert, alerts)
        if self._journal is not None:
            self._keep(cell, self._journal)
        self._await(cell)

    def resolve(self, cell: Cell, reason: AlertReason, alerts: list[Alert]) -> None:
        """End a cell; whoever calls takes it from its subject."""
        cell.advance(self.clock_ms)
        self.note(cell.resolve(self.clock_ms, reason), alerts)
        if self._journal is not None and cell.saved is not None:
            self._journal.put(cell.subject.key, RULE, cell.taker.name, None)

    def deny(self, subject: Subject, alerts: list[Alert]) -> None:
        """End what the subject's newest text settles as false, if it does."""
        for cell, denial in settle(subject):
            cell.advance(self.clock_ms)
            self.note(cell.deny(self.clock_ms, denial), alerts)
            let_go(subject, cell, self.clock_ms)
            self.judge(cell, Cause(denial.signal.signal_id, denial.event_ms), alerts)

    def note(self, alert: Alert | None, alerts: list[Alert]) -> None:
        """One record more of an alert's life."""
        if alert is None:
            return
        alerts.append(alert)
        if alert.state == "resolved":
            self.opened.pop(alert.alert_id, None)
        else:
            self.opened[alert.alert_id] = alert

    def keep_house(self, subject: Subject, due_ms: int) -> None:
        """The subject is looked at again at this time."""
        tick_ms = subject.housekeeping_ms = self._schedule.tick(due_ms, self.clock_ms)
        self._schedule.put(tick_ms, subject.ref.key, HOUSEKEEPING)

    def due_of(self, subject_id: str) -> int | None:
        """When anything of a subject is due."""
        subject = self._shelf.get(subject_id)
        if subject is None:
            return None
        due_ms = subject.housekeeping_ms
        for cell in subject.cells.values():
            due_ms = earliest(due_ms, cell.scheduled_ms)
        return due_ms

    def wake(
        self, subject: Subject, alerts: list[Alert], *, at_tick: bool = False, renewed: bool = False, gone: bool = False
    ) -> None:
        """Build a subject from its records. What rules have open that are not the same any more is resolved.

        `at_tick`: something of it may be due now. What, is not known: an event that has left a window since the last
        tick is not entered any more. So every cell is judged now, or else at the tick at which something was due.
        `renewed`: the state was made under other rules or another watchlist, and every cell is judged now; `gone`:
        nobody watches the subject any more.
        """
        orphans = subject.wake(self.clock_ms)
        for name, state in sorted(orphans.items()):
            self.end(subject, name, state, gone, alerts)
        for name in sorted(subject.cells):
            cell = subject.cells[name]
            if gone:
                self.resolve(cell, "entity_removed", alerts)
            elif at_tick or renewed:
                self.judge(cell, Cause.tick(self.clock_ms), alerts)
            else:
                self._await(cell, subject.housekeeping_ms)
        if gone:
            self._shelf.remove(subject)

    def make_room(self, subjects_max: int, alerts: list[Alert]) -> None:
        """Beyond the limit the subject that was touched longest ago goes, unless it has a pending or open alert."""
        tries = 0
        while len(self._shelf) > subjects_max and tries < EVICTION_TRIES_MAX:
            tries += 1
            subject = next(iter(self._shelf))
            if subject.sleeper is not None and subject.sleeper.has(RULE):
                self.wake(subject, alerts)
            if self._shelf.get(subject.ref.key) is not subject:
                continue
            if any(cell.life.phase in ("pending", "firing") for cell in subject.cells.values()):
                self._shelf.touch(subject)
            else:
                self._shelf.remove(subject)
                self.evicted["limit"] += 1

    def end(self, subject: Subject, name: str, state: CellState, gone: bool, alerts: list[Alert]) -> None:
        """End what a rule has open that is not among the subject's any more as it was."""
        taker = next((taker for taker in self._shelf.takers.all if taker.name == name), None)
        why: AlertReason = "rule_removed" if taker is None else "rule_changed"
        if gone or (taker is not None and taker.version == state.rule_version):
            why = "entity_removed"
        self.note(ended(state, why, self.clock_ms), alerts)
        if self._journal is not None:
            self._journal.put(subject.ref.key, RULE, name, None)

    def _keep(self, cell: Cell, journal: Journal) -> None:
        state = cell.save()
        if state is not cell.saved and state != cell.saved:
            journal.put(cell.subject.key, RULE, cell.taker.name, state)
        cell.saved = state

    def _await(self, cell: Cell, latest_ms: int | None = None) -> None:
        due_ms = earliest(self.due_ms(cell), latest_ms)
        if due_ms is None:
            return
        tick_ms = self._schedule.tick(due_ms, self.clock_ms)
        if cell.scheduled_ms is None or tick_ms < cell.scheduled_ms:
            cell.scheduled_ms = tick_ms
            self._schedule.put(tick_ms, cell.subject.key, cell.taker.name)

    def _clean(self, subject: Subject) -> None:
        due_ms = subject.forget(self.clock_ms, self.memory_ms)
        if due_ms is None:
            self._shelf.remove(subject)
            self.evicted["idle"] += 1
        else:
            self.keep_house(subject, max(due_ms, self.clock_ms + HOUSEKEEPING_MS_MIN))
