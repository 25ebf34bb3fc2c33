"""What a denial does to an entity: alerts end, texts leave the windows, and come back where it is overturned.

    newest text ─┬─ settle() ──► the cells that end by it ─► let_go() of all texts up to it
                 └─ overturn() ► the cells that see again what came since

Only entities: where several meet, in a group or a portfolio, one that is cleared says nothing about the others.
"""

from __future__ import annotations

from riskstream.core.rules.denial import may_settle
from riskstream.core.rules.event import Event
from riskstream.core.watching.cell import Cell
from riskstream.core.watching.subjects import Subject


def settle(subject: Subject) -> tuple[tuple[Cell, Event], ...]:
    """If the newest text settles the talk behind an open alert: the cells that end by it, each with that text."""
    newest = next(reversed(subject.documents.values()))
    signal = newest.signal
    if subject.ref.by != "entity" or signal is None or not may_settle(signal):
        return ()
    heeding = [cell for cell in subject.cells.values() if cell.taker.rule.condition.denied_hold_ms]
    if not any(cell.open for cell in heeding):
        return ()
    settled = subject.talk.settles(newest, subject.documents.values())
    if settled is None:
        return ()
    subject.keep_settled(settled)
    story, ending = newest.story(signal), sorted(heeding, key=lambda cell: cell.taker.name)
    return tuple((cell, cell.taker.event(newest.event_ms, newest.sequence, signal, story)) for cell in ending)


def let_go(subject: Subject, cell: Cell, now_ms: int) -> None:
    """Take all that is settled out of a cell, as far as it still means something there."""
    for document in subject.documents.values():
        if document.event_ms > now_ms - cell.taker.horizon_ms:
            cell.remove(document.event_ms, document.sequence)


def overturn(subject: Subject, now_ms: int) -> tuple[Cell, ...]:
    """Let what came since a denial settled count again, if the newest text overturns it."""
    talk, documents = subject.talk, subject.documents.values()
    if talk.settled is None:
        return ()
    after = talk.overturns(next(reversed(documents)), documents)
    if after is None:
        return ()
    changed: dict[str, Cell] = {}
    late = [document for document in documents if document.sequence > after.sequence]
    inside = [{taker.name for taker in subject.panel.all if talk.enters(one, taker)} for one in late]
    subject.keep_settled(after)
    for document, names in zip(late, inside, strict=True):
        subject.enter_again(document, now_ms, changed, names)
    return tuple(changed[name] for name in sorted(changed))
