"""The decayed mean, carried along: Σ w·x / Σ w with w = 0.5^((newest − event) / half-life).

A text that is one half-life older than the newest one counts half. It is relative to the newest text, not to the clock:
silence does not change it, news does.

One honest doubt: it is carried in floats, so it may differ from one counted afresh in the 13th digit. Whoever reads it
rounds to four, which hides that everywhere but on an exact tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Dated(Protocol):
    """An amount at a time."""

    @property
    def event_ms(self) -> int:
        """When."""

    @property
    def amount(self) -> int:
        """How much."""


class Decay:
    """The two sums, relative to the newest event. Losing that one means counting afresh: what is left may weigh next
    to nothing, and a difference of large sums would not show it."""

    __slots__ = ("_half_life_ms", "_newest_ms", "_weighted", "_weights")

    def __init__(self, half_life_ms: int) -> None:
        self._half_life_ms = half_life_ms
        self._newest_ms: int | None = None
        self._weighted = self._weights = 0.0

    def count(self, event: Dated, change: int) -> None:
        """Take in (change = 1) or leave out (-1) an event."""
        if self._newest_ms is None:
            return
        behind_ms = self._newest_ms - event.event_ms
        if behind_ms < 0:
            fade = 0.5 ** (-behind_ms / self._half_life_ms)
            self._weighted, self._weights = self._weighted * fade, self._weights * fade
            self._newest_ms, behind_ms = event.event_ms, 0
        elif behind_ms == 0 and change < 0:
            self._newest_ms = None
            return
        weight = change * 0.5 ** (behind_ms / self._half_life_ms)
        self._weighted += weight * event.amount
        self._weights += weight

    def mean(self, events: Sequence[Dated]) -> float:
        """The decayed mean of these events, which are all that were counted, in their order."""
        if self._newest_ms is None:
            self._newest_ms = events[-1].event_ms
            self._weighted = self._weights = 0.0
            for event in events:
                self.count(event, 1)
        return self._weighted / self._weights
