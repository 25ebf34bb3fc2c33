"""Other rules or another watchlist: a lane's subjects are brought under them, a few at a time.

    other rules, other watchlist, a state made under others ─► Renewal ─ step() ─ step() ─ … ─► done
                                                                  └─► what went is resolved, what is new is judged

Rule 1. An unchanged rule keeps its lives. What a changed or removed one has open is resolved with that reason, and so
        is what is open about an entity that left the watchlist or the rule's groups. A rule that is not there any more
        judges nothing: its last record says what was told last, whoever ends it.
Rule 2. A new or changed rule sees what is remembered and may fire at once.
Rule 3. The lane's clock stands meanwhile: it does not matter in how many steps it is done. Whoever steps may let others
        work in between, since a subject that slept costs a millisecond and a lane may have a hundred thousand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from riskstream.core.records import Alert
from riskstream.core.watching.cellstate import Cause
from riskstream.core.watching.shelf import BY, Shelf
from riskstream.core.watching.subjects import Subject
from riskstream.core.watching.ticks import Ticks


class Renewal:
    """One change of a lane, as far as it has come. `watched` are the entities that were watched before; None: nobody
    knows, so every entity that is not watched now has left."""

    def __init__(self, shelf: Shelf, ticks: Ticks, watched: Collection[str] | None) -> None:
        self._shelf, self._ticks, self._watched = shelf, ticks, watched
        self._left = deque(sorted(subject.ref.key for subject in shelf))

    @property
    def done(self) -> bool:
        """Every subject is brought under what is in force."""
        return not self._left

    def step(self, subjects_max: int) -> list[Alert]:
        """Bring some more subjects under it, and tell what follows."""
        alerts: list[Alert] = []
        for _ in range(min(max(subjects_max, 1), len(self._left))):
            subject = self._shelf.get(self._left.popleft())
            if subject is not None:
                self._renew(subject, alerts)
        return alerts

    def _renew(self, subject: Subject, alerts: list[Alert]) -> None:
        gone, panel = self._gone(subject), self._shelf.panel_of(subject.ref.key)
        if subject.sleeper is not None:
            subject.panel = panel
            self._ticks.wake(subject, alerts, gone=gone, renewed=True)
            return
        for name in sorted(subject.cells):
            cell = subject.cells[name]
            if cell.taker not in panel.all:
                if (state := cell.save()) is not None:
                    self._ticks.end(subject, name, state, gone, alerts)
            elif gone:
                self._ticks.resolve(cell, "entity_removed", alerts)
            else:
                continue
            del subject.cells[name]
        if gone:
            self._shelf.remove(subject)
            return
        subject.adopt(panel, self._ticks.clock_ms)
        for name in sorted(subject.cells):
            self._ticks.judge(subject.cells[name], Cause.tick(self._ticks.clock_ms), alerts)

    def _gone(self, subject: Subject) -> bool:
        ref = subject.ref
        return self._shelf.gone(ref) and (ref.by != BY or self._watched is None or ref.id in self._watched)
