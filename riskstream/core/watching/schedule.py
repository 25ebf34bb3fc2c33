"""What is due when, on the grid of ticks: the seconds at which something could happen although no signal comes.

    tick(due_ms) ─► the first tick at or after it that has not run ─► put(tick, subject, what) ─► pop(upto_ms), in order

Rule 1. Within a tick the order is subject, then what is due of it, by name; HOUSEKEEPING comes before every rule.
Rule 2. An entry is never taken back: whoever pops it compares the tick with what he last put, and passes over the rest.
"""

from __future__ import annotations

from heapq import heappop, heappush

from riskstream.core.clock import TICK_MS

HOUSEKEEPING = ""
"""Stands where a rule's name does: the subject itself wants to be looked at."""


class Schedule:
    """The entries of one lane."""

    def __init__(self) -> None:
        self._due: list[tuple[int, str, str]] = []

    def tick(self, due_ms: int, clock_ms: int) -> int:
        """The first tick at or after a time that has not run, where the clock stands now."""
        return max(-(-due_ms // TICK_MS), clock_ms // TICK_MS + 1) * TICK_MS

    def put(self, tick_ms: int, subject_id: str, what: str) -> None:
        """At this tick something of the subject is due."""
        heappush(self._due, (tick_ms, subject_id, what))

    def pop(self, upto_ms: int) -> tuple[int, str, str] | None:
        """The next entry whose tick is at or before a time."""
        return heappop(self._due) if self._due and self._due[0][0] <= upto_ms else None
