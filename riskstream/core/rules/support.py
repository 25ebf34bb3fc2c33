"""What supports a rule in a window: counted as events come and go, so that no look at it walks the window.

    event ─► count ─┬─► documents, stories, sources        how many of each
                    ├─► who tells it as a fact             by kind, and how much the greatest of them
                    └─► ranked, once `best` was asked for  most telling first

Rule 1. Most windows never have an alert: ranking begins with the first question, and ends when nothing is left.
Rule 2. One exception: the greatest of all is looked for anew where the last of its size has left.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from riskstream.core.records import Confirmation
from riskstream.core.rules.denial import confirms
from riskstream.core.rules.event import Event


class Peak:
    """The greatest of amounts that come and go."""

    __slots__ = ("_amount", "_times")

    def __init__(self) -> None:
        self._amount = self._times = 0

    def count(self, amount: int, change: int) -> None:
        """Take in (change = 1) or leave out (-1) an amount."""
        if not self._times:
            return
        if amount == self._amount:
            self._times += change
        elif amount > self._amount:
            self._amount, self._times = amount, 1

    def read(self, events: Iterable[Event]) -> int | None:
        """The greatest, or None of nothing; `events`, all that were counted, are read only where it is unknown."""
        if not self._times:
            amounts = [event.amount for event in events]
            if not amounts:
                return None
            self._amount = max(amounts)
            self._times = amounts.count(self._amount)
        return self._amount


class Support:
    """The supporting events of one window."""

    __slots__ = ("_facts", "_ranked", "_worst_fact", "documents", "events", "sources", "stories")

    def __init__(self) -> None:
        self.events = 0
        self.documents: dict[str, int] = {}
        self.sources: dict[str, int] = {}
        self.stories: dict[str, int] = {}
        self._facts: dict[str, int] = {}
        self._worst_fact = Peak()
        self._ranked: list[Event] | None = None

    def count(self, event: Event, change: int) -> None:
        """Take in (change = 1) or leave out (-1) an event."""
        self.events += change
        bump(self.documents, event.signal.document_id, change)
        bump(self.stories, event.placed.story, change)
        if event.voice:
            bump(self.sources, event.voice, change)
        if confirms(event.signal):
            bump(self._facts, event.signal.kind, change)
            self._worst_fact.count(event.amount, change)
        if self._ranked is not None:
            self._rank(self._ranked, event, change)

    def best(self, count_max: int, events: Iterable[Event]) -> list[Event]:
        """The most telling, one a story: the highest amount, then risk score, then the newest. `events` are all that
        were counted."""
        if self._ranked is None:
            self._ranked = sorted(events, key=_order)
        wanted, stories = min(count_max, len(self.stories)), dict[str, Event]()
        for event in self._ranked:
            if len(stories) == wanted:
                break
            stories.setdefault(event.placed.story, event)
        return list(stories.values())

    def confirmed(self, least: float, events: Iterable[Event]) -> bool:
        """Whether an event that tells a fact has at least this amount. `events` are all that were counted."""
        if not self._facts:
            return False
        worst = self._worst_fact.read(event for event in events if confirms(event.signal))
        return worst is not None and worst >= least

    def confirmation(self) -> Confirmation | None:
        """What stands behind it; None where nothing supports."""
        if self._facts:
            return "official" if "filing" in self._facts else "reported"
        return "unconfirmed" if self.events else None

    def _rank(self, ranked: list[Event], event: Event, change: int) -> None:
        if change > 0:
            insort(ranked, event, key=_order)
        else:
            del ranked[bisect_left(ranked, _order(event), key=_order)]
        if not ranked:
            self._ranked = None


def bump(counts: dict[str, int], key: str, change: int) -> None:
    """Count a key that comes or goes; what is counted no more is forgotten."""
    count = counts.get(key, 0) + change
    if count:
        counts[key] = count
    else:
        del counts[key]


def _order(event: Event) -> tuple[int, float, int, int]:
    return (-event.amount, -event.signal.risk_score, -event.event_ms, -event.sequence)
