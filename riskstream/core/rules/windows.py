"""The events of one subject that one rule looks at, over a sliding window of event time.

            now − window ┐                     ┌ now
    ──────e────e─────────(──e──e─────e──────e──]──────►  event time
          left for good     └──── the view ────┘

Rule 1. The window is (now − window, now]: an event leaves at the very millisecond at which it is `window_ms` old.
Rule 2. An event that lies ahead of the clock when it arrives counts as at the clock: whoever adds it says so.
Rule 3. Amounts are ints of ten-thousandths, the precision of a published probability: sums are exact, so that adding
        and removing events in any order gives the same value as counting afresh.
Rule 4. A signal *supports* the rule if its amount reaches `at_least`. The counts (documents, sources, stories) and the
        evidence are of supporting signals; good news among the others pulls a mean or a ratio down.
Rule 5. The value of an empty window is 0. A percentile is the nearest rank: an amount that was there.
Rule 6. Sources are voices: a copy speaks with the voice of the story's first telling, so copies corroborate nothing,
        and who denies is no source of the trouble. `documents` counts copies, `stories` does not.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import islice

import msgspec

from riskstream.core.contracts import Holding
from riskstream.core.measure import UNIT, Measure
from riskstream.core.records import Confirmation, WindowView
from riskstream.core.rules.decay import Decay
from riskstream.core.rules.event import Event
from riskstream.core.rules.support import Peak, Support


class Window:
    """A sliding window and its running aggregates. Call `advance` before reading it."""

    __slots__ = (
        "_at_least",
        "_decay",
        "_ordered",
        "_sum",
        "_support",
        "_top",
        "_value",
        "_view",
        "events",
        "measure",
    )

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self.events: list[Event] = []
        self._at_least = round(measure.at_least * UNIT)
        self._sum = 0
        self._top = Peak()
        self._support = Support()
        self._decay = Decay(measure.half_life_ms) if measure.half_life_ms else None
        self._ordered: list[int] | None = [] if measure.percentile is not None else None
        self._value: float | None = None
        self._view: WindowView | None = None

    def add(self, event: Event) -> None:
        """Put an event into its place; events may come in any order."""
        if self.events and event < self.events[-1]:
            insort(self.events, event)
        else:
            self.events.append(event)
        self._count(event, 1)
        self._value = self._view = None

    def remove(self, event_ms: int, sequence: int) -> bool:
        """Take an event out; False where it is not there."""
        index = bisect_left(self.events, (event_ms, sequence))
        if index == len(self.events) or self.events[index][:2] != (event_ms, sequence):
            return False
        self._count(self.events.pop(index), -1)
        self._value = self._view = None
        return True

    def advance(self, now_ms: int) -> list[Event]:
        """Let go of what has left the window, and give it back, oldest first."""
        horizon = now_ms - self.measure.window_ms
        events = self.events
        if not events or events[0].event_ms > horizon:
            return []
        count = bisect_right(events, horizon, key=lambda event: event.event_ms)
        gone = events[:count]
        for event in gone:
            self._count(event, -1)
        del events[:count]
        self._value = self._view = None
        return gone

    def due_ms(self) -> int | None:
        """When the oldest event leaves; None where there is none."""
        return self.events[0].event_ms + self.measure.window_ms if self.events else None

    def value(self) -> float:
        """The aggregate, in units of the field or a number of things, rounded to four decimals."""
        if self._value is None:
            self._value = round(self._aggregate(), 4) + 0.0  # so that there is no -0.0
        return self._value

    def top(self) -> float:
        """The highest amount in the window, in units of the field; 0 where it is empty."""
        return (self._top.read(self.events) or 0) / UNIT

    def view(self, evidence_max: int = 0) -> WindowView:
        """The aggregate and the counts, with the ids of at most `evidence_max` supporting signals, best first."""
        if self._view is None:
            counted = self._support
            sizes = (len(counted.documents), len(counted.sources), len(counted.stories))
            self._view = WindowView(self.value(), *sizes, ())
        if not evidence_max:
            return self._view
        ids = tuple(event.signal.signal_id for event in self.best(evidence_max))
        return msgspec.structs.replace(self._view, evidence=ids)

    def best(self, count_max: int) -> list[Event]:
        """The most telling supporting events, one a story: the highest amount, then risk score, then the newest."""
        return self._support.best(count_max, self._supporting())

    def confirmed(self, least: float) -> bool:
        """Whether a supporting event that tells a fact has at least this amount, in ten-thousandths."""
        return self._support.confirmed(least, self._supporting())

    def confirmation(self) -> Confirmation | None:
        """What stands behind the rule; None where nothing supports it."""
        return self._support.confirmation()

    def first(self) -> Event | None:
        """The earliest supporting event."""
        return next(self._supporting(), None)

    def last(self) -> Event | None:
        """The newest supporting event."""
        return next((event for event in reversed(self.events) if event.amount >= self._at_least), None)

    def drivers(self) -> tuple[Holding, ...]:
        """What the value is made of, where it is a portfolio's (`basket.py`)."""
        return ()

    def newest(self, count_max: int) -> list[Event]:
        """The newest supporting events, newest first."""
        found = (event for event in reversed(self.events) if event.amount >= self._at_least)
        return list(islice(found, count_max))

    def _supporting(self) -> Iterator[Event]:
        return (event for event in self.events if event.amount >= self._at_least)

    def _count(self, event: Event, change: int) -> None:
        self._sum += change * event.amount
        self._top.count(event.amount, change)
        if event.amount >= self._at_least:
            self._support.count(event, change)
        if self._decay is not None:
            self._decay.count(event, change)
        if self._ordered is not None:
            if change > 0:
                insort(self._ordered, event.amount)
            else:
                del self._ordered[bisect_left(self._ordered, event.amount)]

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
            case "percentile":
                return self._percentile() / UNIT
            case "decayed_mean":
                return self._decay.mean(self.events) / UNIT if self._decay is not None else 0.0
            case "count":
                return float(self._support.events)
            case "documents":
                return float(len(self._support.documents))
            case "sources":
                return float(len(self._support.sources))
            case "stories":
                return float(len(self._support.stories))
            case "ratio":
                enough = len(self.events) >= self.measure.denominator_min
                return self._support.events / len(self.events) if enough else 0.0

    def _percentile(self) -> int:
        assert self._ordered is not None and self.measure.percentile is not None
        return self._ordered[max(0, math.ceil(self.measure.percentile / 100 * len(self._ordered)) - 1)]
