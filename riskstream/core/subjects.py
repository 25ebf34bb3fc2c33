"""What a lane remembers of one subject: its documents, and a cell for every rule that has something to say of it.

    Signal ─ take() ─► Intake(outcome, cells whose windows changed)

Rule 1. The same `signal_id` again, or the same document with the same text, is a duplicate and changes nothing.
Rule 2. The same document with another text is a revision: its old event leaves the windows, the new one enters.
Rule 3. A document is forgotten `memory_ms` after it was last accepted: longer than any window, so that an event has
        always left the windows before its document is forgotten.
Rule 4. At most `events_max` documents are remembered; beyond that the oldest accepted one goes, with its event.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from riskstream.core.cell import Cell
from riskstream.core.records import Signal, SubjectRef
from riskstream.core.rules import Taker

Outcome = Literal["accepted", "duplicate", "revision", "late"]


class Remembered(NamedTuple):
    """A document about this subject as it was last accepted, at `seen_ms` on the lane's clock."""

    seen_ms: int
    event_ms: int
    sequence: int
    signal: Signal


class Intake(NamedTuple):
    """What became of a signal: `changed` are the cells to judge; `dropped`: a document had to go for it."""

    outcome: Outcome
    changed: tuple[Cell, ...] = ()
    dropped: bool = False


class Subject:
    """One subject of a lane. `takers` are the rules that may ever take one of its signals."""

    __slots__ = ("cells", "documents", "housekeeping_ms", "ref", "seen", "sequence", "takers")

    def __init__(self, ref: SubjectRef, takers: tuple[Taker, ...]) -> None:
        self.ref, self.takers = ref, takers
        self.cells: dict[str, Cell] = {}
        self.documents: dict[str, Remembered] = {}
        self.seen: dict[str, int] = {}
        self.sequence = 0
        self.housekeeping_ms: int | None = None

    def take(self, signal: Signal, event_ms: int, now_ms: int, *, memory_ms: int, events_max: int) -> Intake:
        """Remember a signal and put its event into the windows of the rules that take it."""
        forgotten_ms = now_ms - memory_ms
        if self.seen.get(signal.signal_id, forgotten_ms) > forgotten_ms:
            return Intake("duplicate")
        self.seen.pop(signal.signal_id, None)
        self.seen[signal.signal_id] = now_ms
        if len(self.seen) > 4 * events_max:
            del self.seen[next(iter(self.seen))]
        known = self.documents.get(signal.document_id)
        if known is not None and known.seen_ms <= forgotten_ms:
            known = None
        if known is not None and known.signal.fingerprint == signal.fingerprint:
            return Intake("duplicate")
        changed: dict[str, Cell] = {}
        if known is not None:
            self._remove(known, changed)
        self.documents.pop(signal.document_id, None)
        self.sequence += 1
        fresh = self.documents[signal.document_id] = Remembered(now_ms, event_ms, self.sequence, signal)
        for taker in self.takers:
            self._enter(taker, fresh, now_ms, changed)
        dropped = len(self.documents) > events_max
        if dropped:
            self._remove(self.documents.pop(next(iter(self.documents))), changed)
        cells = tuple(changed[name] for name in sorted(changed))
        return Intake("accepted" if known is None else "revision", cells, dropped)

    def adopt(self, takers: tuple[Taker, ...], now_ms: int) -> tuple[Cell, ...]:
        """Go on with other rules. Cells of rules that are still there stay; new ones see what is remembered.

        Whoever calls has resolved and removed the cells of the rules that went. The new cells are given back.
        """
        self.takers = takers
        fresh = [taker for taker in takers if taker.name not in self.cells]
        made: dict[str, Cell] = {}
        for document in self.documents.values():
            for taker in fresh:
                if document.event_ms > now_ms - taker.horizon_ms:
                    self._enter(taker, document, document.seen_ms, made)
        return tuple(made[name] for name in sorted(made))

    def forget(self, now_ms: int, memory_ms: int) -> int | None:
        """Drop what is too old, and cells with nothing in them; when to come again, None where nothing is left."""
        forgotten_ms = now_ms - memory_ms
        for document_id, document in list(self.documents.items()):
            if document.seen_ms > forgotten_ms:
                break
            del self.documents[document_id]
        for signal_id, seen_ms in list(self.seen.items()):
            if seen_ms > forgotten_ms:
                break
            del self.seen[signal_id]
        for name, cell in list(self.cells.items()):
            cell.advance(now_ms)
            if cell.idle:
                del self.cells[name]
        if not self.seen and not self.cells:
            return None
        return next(iter(self.seen.values()), now_ms) + memory_ms

    def _enter(self, taker: Taker, document: Remembered, now_ms: int, changed: dict[str, Cell]) -> None:
        signal = document.signal
        if document.event_ms <= now_ms - taker.horizon_ms or not taker.takes(signal):
            return
        cell = self.cells.get(taker.name)
        if cell is None:
            cell = self.cells[taker.name] = Cell(taker, self.ref, self.cells)
        cell.add(taker.event(document.event_ms, document.sequence, signal), now_ms)
        changed[taker.name] = cell

    def _remove(self, document: Remembered, changed: dict[str, Cell]) -> None:
        event_ms, sequence = document.event_ms, document.sequence
        changed |= {name: cell for name, cell in self.cells.items() if cell.remove(event_ms, sequence)}
