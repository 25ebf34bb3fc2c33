"""The events of one subject that one rule looks at, over a sliding window of event time.

            now − window ┐                     ┌ now
    ──────e────e─────────(──e──e─────e──────e──]──────►  event time
          left for good     └──── the view ────┘

Rule 1. The window is (now − window, now]: an event leaves at the very millisecond at which it is `window_ms` old.
Rule 2. An event that lies ahead of the clock when it arrives counts as at the clock: whoever adds it says so.
Rule 3. Amounts are ints of ten-thousandths, the precision of a published probability: sums are exact, so that adding
        and removing events in any order gives the same value as counting afresh.
Rule 4. A signal *supports* the rule if its amount reaches `at_least`. The counts (documents, sources, stories) and the
        evidence are of supporting signals; `count` counts them; the other aggregates are over every matched signal,
        so that good news pulls a mean down.
Rule 5. The value of an empty window is 0.

The decayed mean is Σ w·x / Σ w with w = 0.5^((newest − event) / half_life): a text that is one half-life older than the
newest one counts half. It is relative to the newest text, not to the clock: silence does not change it, news does.

One honest doubt: the decayed mean is carried along in floats, so it may differ from one counted afresh in the 13th
digit. It is rounded to four, which hides that everywhere but on an exact tie.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from heapq import nsmallest
from typing import Literal, NamedTuple

import msgspec

from riskstream.core.records import Signal, WindowView

Aggregate = Literal["max", "mean", "sum", "count", "decayed_mean"]
AGGREGATES: tuple[Aggregate, ...] = ("max", "mean", "sum", "count", "decayed_mean")
UNIT = 10_000
"""Amounts are in 1 / UNIT."""


class Measure(msgspec.Struct, frozen=True):
    """What is computed over a window. `at_least` is in units of the field; `half_life_ms` is for the decayed mean."""

    field: str
    aggregate: Aggregate
    window_ms: int
    at_least: float
    half_life_ms: int | None = None


class Event(NamedTuple):
    """One signal as a rule sees it. (event_ms, sequence) is unique within a subject and is the order."""

    event_ms: int
    sequence: int
    amount: int
    signal: Signal


class Window:
    """A sliding window and its running aggregates. Call `advance` before reading it."""

    __slots__ = (
        "_at_least",
        "_decay",
        "_sources",
        "_stories",
        "_sum",
        "_supporting",
        "_top",
        "_view",
        "events",
        "measure",
    )

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self.events: list[Event] = []
        self._at_least = round(measure.at_least * UNIT)
        self._sum = 0
        self._top: int | None = None
        self._supporting = 0
        self._sources: dict[str, int] = {}
        self._stories: dict[str, int] = {}
        self._decay = _Decay(measure.half_life_ms) if measure.half_life_ms else None
        self._view: WindowView | None = None

    def add(self, event: Event) -> None:
        """Put an event into its place; events may come in any order."""
        if self.events and event < self.events[-1]:
            insort(self.events, event)
        else:
            self.events.append(event)
        self._count(event, 1)
        self._view = None

    def remove(self, event_ms: int, sequence: int) -> bool:
        """Take an event out; False where it is not there."""
        index = bisect_left(self.events, (event_ms, sequence))
        if index == len(self.events) or self.events[index][:2] != (event_ms, sequence):
            return False
        self._count(self.events.pop(index), -1)
        self._view = None
        return True

    def advance(self, now_ms: int) -> None:
        """Let go of what has left the window."""
        horizon = now_ms - self.measure.window_ms
        events = self.events
        if not events or events[0].event_ms > horizon:
            return
        gone = bisect_right(events, horizon, key=lambda event: event.event_ms)
        for event in events[:gone]:
            self._count(event, -1)
        del events[:gone]
        self._view = None

    def due_ms(self) -> int | None:
        """When the oldest event leaves; None where there is none."""
        return self.events[0].event_ms + self.measure.window_ms if self.events else None

    def value(self) -> float:
        """The aggregate, in units of the field (a number of signals for `count`), rounded to four decimals."""
        return self.view().value

    def top(self) -> float:
        """The highest amount in the window, in units of the field; 0 where it is empty."""
        if self._top is None:
            self._top = max((event.amount for event in self.events), default=0)
        return self._top / UNIT

    def view(self, evidence_max: int = 0) -> WindowView:
        """The aggregate and the counts, with the ids of at most `evidence_max` supporting signals, best first."""
        if self._view is None:
            value = round(self._aggregate(), 4)
            self._view = WindowView(value, self._supporting, len(self._sources), len(self._stories), ())
        if not evidence_max:
            return self._view
        ids = tuple(event.signal.signal_id for event in self.best(evidence_max))
        return msgspec.structs.replace(self._view, evidence=ids)

    def best(self, count_max: int) -> list[Event]:
        """The most telling supporting events, one a story: the highest amount, then risk score, then the newest."""
        ranked = nsmallest(count_max * 4, self._support(), key=_rank)
        if len({event.signal.fingerprint for event in ranked}) < min(count_max, len(self._stories)):
            ranked = sorted(self._support(), key=_rank)
        stories: dict[str, Event] = {}
        for event in ranked:
            stories.setdefault(event.signal.fingerprint, event)
        return list(stories.values())[:count_max]

    def first(self) -> Event | None:
        """The earliest supporting event."""
        return next((event for event in self.events if event.amount >= self._at_least), None)

    def last(self) -> Event | None:
        """The newest supporting event."""
        return next((event for event in reversed(self.events) if event.amount >= self._at_least), None)

    def _support(self) -> list[Event]:
        return [event for event in self.events if event.amount >= self._at_least]

    def _count(self, event: Event, change: int) -> None:
        self._sum += change * event.amount
        if self._top is not None and event.amount >= self._top:
            self._top = event.amount if change > 0 else None
        if event.amount >= self._at_least:
            self._supporting += change
            _bump(self._sources, event.signal.source, change)
            _bump(self._stories, event.signal.fingerprint, change)
        if self._decay is not None:
            self._decay.count(event, change)

    def _aggregate(self) -> float:
        if not self.events:
            return 0.0
        match self.measure.aggregate:
            case "max":
                return self.top()
            case "mean":
                return self._sum / len(self.events) / UNIT
            case "sum":
                return self._sum / UNIT
            case "count":
                return float(self._supporting)
            case "decayed_mean":
                return self._decay.mean(self.events) / UNIT if self._decay is not None else 0.0


class _Decay:
    """Σ w·x and Σ w, carried along relative to the newest event. Losing that one means counting afresh: what is left
    may weigh next to nothing, and a difference of large sums would not show it."""

    __slots__ = ("_half_life_ms", "_newest_ms", "_weighted", "_weights")

    def __init__(self, half_life_ms: int) -> None:
        self._half_life_ms = half_life_ms
        self._newest_ms: int | None = None
        self._weighted = self._weights = 0.0

    def count(self, event: Event, change: int) -> None:
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

    def mean(self, events: list[Event]) -> float:
        """The decayed mean of these events, which are all that were counted, in their order."""
        if self._newest_ms is None:
            self._newest_ms = events[-1].event_ms
            self._weighted = self._weights = 0.0
            for event in events:
                self.count(event, 1)
        return self._weighted / self._weights


def _bump(counts: dict[str, int], key: str, change: int) -> None:
    count = counts.get(key, 0) + change
    if count:
        counts[key] = count
    else:
        del counts[key]


def _rank(event: Event) -> tuple[int, float, int, int]:
    return (-event.amount, -event.signal.risk_score, -event.event_ms, -event.sequence)
