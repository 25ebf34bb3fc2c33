"""What a lane remembers of one subject: its documents, and a cell for every rule that has something to say of it.

    Signal ─ take() ─► Intake(outcome, cells whose windows changed)
    records of the state log ─ Sleeper ─ wake() ─► the subject as it was

Rule 1. The same `signal_id` again, or the same document with the same text, is a duplicate and changes nothing.
Rule 2. The same document with another text is a revision: its old event leaves the windows, the new one enters.
Rule 3. A document is forgotten `memory_ms` after it was last accepted: longer than any window, so that an event has
        always left the windows before its document is forgotten.
Rule 4. At most `events_max` documents are remembered; beyond that the oldest accepted one goes, with its event.
Rule 5. What a denial has settled (`settling.py`) enters no windows.
Rule 6. Every arrival that is remembered is one record of the state, and what is decided about it then is a field of it.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Literal, NamedTuple

import msgspec

from riskstream.core.records import Signal, SubjectRef
from riskstream.core.rules.denial import Settled
from riskstream.core.rules.novelty import Placed
from riskstream.core.rules.rule import Taker
from riskstream.core.watching.cell import Cell
from riskstream.core.watching.cellstate import CellState
from riskstream.core.watching.panel import Panel
from riskstream.core.watching.state import DENIAL, RULE, SIGNAL, Journal, Sleeper
from riskstream.core.watching.talk import Remembered, Talk

Outcome = Literal["accepted", "duplicate", "revision", "late"]

SEEN_PER_EVENT = 4
"""Arrivals remembered for each document that may be: repeated ones are small."""


class Intake(NamedTuple):
    """What became of a signal: `changed` are the cells to judge; `dropped`: a document had to go for it; `touched`:
    more is remembered than before."""

    outcome: Outcome
    changed: tuple[Cell, ...] = ()
    dropped: bool = False
    touched: bool = True


class Subject:
    """One subject of a lane. `panel` holds the rules that may ever take one of its signals. `journal` is told of every
    record that changes; None where nobody keeps them."""

    __slots__ = (
        "cells", "documents", "housekeeping_ms", "journal", "panel", "ref", "seen", "sequence", "sleeper", "talk",
    )  # fmt: skip

    def __init__(self, ref: SubjectRef, panel: Panel, journal: Journal | None = None) -> None:
        self.ref, self.panel, self.journal = ref, panel, journal
        self.cells: dict[str, Cell] = {}
        self.documents: dict[str, Remembered] = {}
        self.seen: dict[str, Remembered] = {}
        self.sequence = 0
        self.talk = Talk()
        self.housekeeping_ms: int | None = None
        self.sleeper: Sleeper | None = None

    def take(
        self,
        signal: Signal,
        event_ms: int,
        now_ms: int,
        *,
        memory_ms: int,
        events_max: int,
        raw: msgspec.Raw | None = None,
    ) -> Intake:
        """Remember a signal and put its event into the windows of the rules that take it. `raw` is its JSON."""
        forgotten_ms = now_ms - memory_ms
        before = self.seen.get(signal.signal_id)
        if before is not None:
            if before.seen_ms > forgotten_ms:
                return Intake("duplicate", touched=False)
            self._forget(signal.signal_id, before)
        document = self._document(signal)
        known = self.documents.get(document)
        if known is not None and known.seen_ms <= forgotten_ms:
            known = None
        self.sequence += 1
        changed: dict[str, Cell] = {}
        if known is not None and known.signal is not None and known.signal.fingerprint == signal.fingerprint:
            self._see(signal.signal_id, Remembered(self.sequence, now_ms, seen_id=signal.signal_id))
            dropped = self._make_room(events_max, now_ms, changed)
            return Intake("duplicate", _in_order(changed), dropped)
        if known is not None and known.signal is not None:
            self._remove(known, now_ms, changed)
            self.talk.stories.remove(known.sequence)
            self._see(known.signal.signal_id, _place_alone(known))
        self.documents.pop(document, None)
        placed = self.talk.stories.place(signal, event_ms)
        fresh = Remembered(self.sequence, now_ms, event_ms, signal, placed=placed if placed.copies else None)
        self.documents[document] = fresh
        self.talk.stories.add(self.sequence, signal, placed)
        self._see(signal.signal_id, fresh, raw)
        for taker in self.panel.takers_of(signal):
            self._enter(taker, fresh, placed, now_ms, changed)
        dropped = self._make_room(events_max, now_ms, changed)
        return Intake("accepted" if known is None else "revision", _in_order(changed), dropped)

    def hear(self, heard_ms: int, source: str, kind: str, lang: str) -> tuple[Cell, ...]:
        """A document came of which no more is known; given back are the cells of the rules that wait for it."""
        heard = []
        for taker in self.panel.all:
            if taker.hears(source, kind, lang):
                cell = self.cells.get(taker.name)
                if cell is None:
                    cell = self.cells[taker.name] = Cell(taker, self.ref, self.cells)
                cell.hear(heard_ms)
                heard.append(cell)
        return tuple(heard)

    def adopt(self, panel: Panel, now_ms: int) -> tuple[Cell, ...]:
        """Go on with other rules. Cells of rules that are still there stay; new ones see what is remembered.

        Whoever calls has resolved and removed the cells of the rules that went. The new cells are given back.
        """
        self.panel = panel
        there, made = frozenset(self.cells), dict[str, Cell]()
        for document in self.documents.values():
            self.enter_again(document, now_ms, made, but=there)
        return _in_order(made)

    def forget(self, now_ms: int, memory_ms: int) -> int | None:
        """Drop what is too old, and cells with nothing in them; when to come again, None where nothing is left."""
        forgotten_ms = now_ms - memory_ms
        for signal_id, arrival in list(self.seen.items()):
            if arrival.seen_ms > forgotten_ms:
                break
            self._forget(signal_id, arrival)
        for name, cell in list(self.cells.items()):
            cell.advance(now_ms)
            if cell.idle:
                self._drop_cell(name)
        settled = self.talk.settled
        hold_ms = max((taker.rule.condition.denied_hold_ms for taker in self.panel.all), default=0)
        if settled is not None and now_ms >= settled.at_ms + max(hold_ms, memory_ms):
            self.keep_settled(None)
            settled = None
        if not self.seen and not self.cells and settled is None:
            return None
        first = next(iter(self.seen.values()), None)
        return (first.seen_ms if first is not None else now_ms) + memory_ms

    def leave(self) -> None:
        """All records go: the subject is evicted."""
        if self.journal is None:
            return
        if self.sleeper is not None:
            for kind, bucket in self.sleeper.names():
                self.journal.put(self.ref.key, kind, bucket, None)
        for arrival in self.seen.values():
            self.journal.put(self.ref.key, SIGNAL, str(arrival.sequence), None)
        for name in list(self.cells):
            self._drop_cell(name)
        if self.talk.settled is not None:
            self.keep_settled(None)

    def wake(self, now_ms: int) -> dict[str, CellState]:
        """Become what the records say. Given back are the states of rules that are not among ours as they were."""
        assert self.sleeper is not None
        sleeper, self.sleeper = self.sleeper, None
        of_rules = sleeper.load(RULE, CellState)
        for arrival in sleeper.load(SIGNAL, Remembered).values():
            self.seen[arrival.signal_id] = arrival
        self.seen = dict(sorted(self.seen.items(), key=lambda item: item[1].sequence))
        self.sequence = max((arrival.sequence for arrival in self.seen.values()), default=0)
        self.talk.settled = sleeper.load(DENIAL, Settled).get("")
        if not self.ref.name:
            named = (arrival.signal.entity.name for arrival in self.seen.values() if arrival.signal is not None)
            self.ref = SubjectRef(self.ref.by, self.ref.id, next(named, ""))
        for taker in self.panel.all:
            saved = of_rules.get(taker.name)
            if saved is not None and saved.rule_version == taker.version:
                cell = self.cells[taker.name] = Cell(taker, self.ref, self.cells)
                cell.restore(of_rules.pop(taker.name))
        for arrival in self.seen.values():
            if arrival.signal is not None:
                document = self._document(arrival.signal)
                self.documents.pop(document, None)
                self.documents[document] = arrival
                self.talk.remember(arrival)
                self.enter_again(arrival, now_ms, {})
        for cell in self.cells.values():
            cell.advance(now_ms)
        return of_rules

    def _see(self, signal_id: str, arrival: Remembered, raw: msgspec.Raw | None = None) -> None:
        self.seen[signal_id] = arrival
        if self.journal is not None:
            state = arrival if raw is None else msgspec.structs.replace(arrival, signal=raw)
            self.journal.put(self.ref.key, SIGNAL, str(arrival.sequence), state)

    def _forget(self, signal_id: str, arrival: Remembered) -> None:
        del self.seen[signal_id]
        self.talk.stories.remove(arrival.sequence)
        signal = arrival.signal
        if signal is not None and self.documents.get(self._document(signal)) is arrival:
            del self.documents[self._document(signal)]
        if self.journal is not None:
            self.journal.put(self.ref.key, SIGNAL, str(arrival.sequence), None)

    def keep_settled(self, settled: Settled | None) -> None:
        """What is settled is this now."""
        self.talk.settled = settled
        if self.journal is not None:
            self.journal.put(self.ref.key, DENIAL, "", settled)

    def _drop_cell(self, name: str) -> None:
        cell = self.cells.pop(name)
        if self.journal is not None and cell.saved is not None:
            self.journal.put(self.ref.key, RULE, name, None)

    def _make_room(self, events_max: int, now_ms: int, changed: dict[str, Cell]) -> bool:
        """Keep the numbers of documents and of arrivals; whether a document had to go."""
        dropped = False
        if len(self.documents) > events_max:
            oldest = next(iter(self.documents.values()))
            dropped = self._drop(oldest, now_ms, changed)
        if len(self.seen) > SEEN_PER_EVENT * events_max:
            signal_id, first = next(iter(self.seen.items()))
            dropped = self._drop(first, now_ms, changed) or dropped
            self._forget(signal_id, self.seen[signal_id])
        return dropped

    def _drop(self, arrival: Remembered, now_ms: int, changed: dict[str, Cell]) -> bool:
        """A document goes, with its event; its place is still remembered."""
        signal = arrival.signal
        if signal is None:
            return False
        self._remove(arrival, now_ms, changed)
        self.talk.stories.remove(arrival.sequence)
        del self.documents[self._document(signal)]
        self._see(signal.signal_id, _place_alone(arrival))
        return True

    def _document(self, signal: Signal) -> str:
        """What a document is known by: where several entities meet, each of them has it for itself."""
        return signal.document_id if self.ref.by == "entity" else f"{signal.document_id}#{signal.entity.id}"

    def _enter(self, taker: Taker, document: Remembered, placed: Placed, now_ms: int, changed: dict[str, Cell]) -> None:
        signal = document.signal
        if signal is None or document.event_ms <= now_ms - taker.horizon_ms or placed.copies > taker.copies_max:
            return
        if self.talk.settled is not None and not self.talk.enters(document, taker):
            return
        cell = self.cells.get(taker.name)
        if cell is None:
            cell = self.cells[taker.name] = Cell(taker, self.ref, self.cells)
        cell.add(taker.event(document.event_ms, document.sequence, signal, placed), now_ms)
        changed[taker.name] = cell

    def enter_again(
        self, document: Remembered, now_ms: int, changed: dict[str, Cell], but: Set[str] = frozenset()
    ) -> None:
        """Enter a document as at its arrival where it still means something, for all rules `but` these."""
        if document.signal is None:
            return
        placed = document.story(document.signal)
        for taker in self.panel.takers_of(document.signal):
            if taker.name not in but and document.event_ms > now_ms - taker.horizon_ms:
                self._enter(taker, document, placed, document.seen_ms, changed)

    def _remove(self, document: Remembered, now_ms: int, changed: dict[str, Cell]) -> None:
        """Take a document's event out of the cells for which it still means something."""
        event_ms, sequence = document.event_ms, document.sequence
        meant = {name: cell for name, cell in self.cells.items() if event_ms > now_ms - cell.taker.horizon_ms}
        changed |= {name: cell for name, cell in meant.items() if cell.remove(event_ms, sequence)}


def _in_order(cells: dict[str, Cell]) -> tuple[Cell, ...]:
    return tuple(cells[name] for name in sorted(cells))


def _place_alone(arrival: Remembered) -> Remembered:
    """What is left of an arrival whose document was replaced or dropped."""
    return Remembered(arrival.sequence, arrival.seen_ms, seen_id=arrival.signal_id)
