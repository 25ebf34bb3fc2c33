"""What the page needs of a replay's signals, kept as they pass: bounded, however many there are.

Rule 1. Of each entity at most `DOTS_MAX` signals are kept, those with the highest risk score; how many were left out
        is counted. A curve of scores loses nothing that a desk would look at.
Rule 2. At most `ENTITIES_MAX` entities are kept at all; later ones are counted. The map from signals to documents that
        judges stories is only filled where there are stories.
"""

from __future__ import annotations

from heapq import heappush, heappushpop

import msgspec

from riskstream.core.clock import parse_ms
from riskstream.core.contracts import Signal

DOTS_MAX = 1_500
ENTITIES_MAX = 20_000


class Dot(msgspec.Struct, frozen=True, order=True):
    """One signal on the timeline."""

    risk_score: float
    at_ms: int
    signal_id: str
    title: str
    source: str
    kind: str


class Gathered:
    """The signals of a replay as a page shows them."""

    def __init__(self, *, documents: bool = False) -> None:
        self.dots: dict[str, list[Dot]] = {}
        self.names: dict[str, str] = {}
        self.signals = self.left_out = 0
        self.first_ms: int | None = None
        self.last_ms = 0
        self.items: dict[str, int] = {}
        self.document_of: dict[str, str] = {}
        self._documents = documents

    def add(self, signal: Signal) -> None:
        """Keep what is needed of a signal."""
        at_ms, entity = parse_ms(signal.published_at), signal.entity
        self.signals += 1
        self.first_ms = at_ms if self.first_ms is None else min(self.first_ms, at_ms)
        self.last_ms = max(self.last_ms, at_ms)
        if self._documents:
            self.items.setdefault(signal.document_id, parse_ms(signal.received_at))
            self.document_of[signal.signal_id] = signal.document_id
        if entity.id not in self.dots and len(self.dots) >= ENTITIES_MAX:
            self.left_out += 1
            return
        title = signal.title or signal.snippet
        dot = Dot(signal.risk_score, at_ms, signal.signal_id, title[:160], signal.source, signal.kind)
        self.names[entity.id] = entity.name
        mine = self.dots.setdefault(entity.id, [])
        if len(mine) < DOTS_MAX:
            heappush(mine, dot)
        else:
            heappushpop(mine, dot)
            self.left_out += 1
