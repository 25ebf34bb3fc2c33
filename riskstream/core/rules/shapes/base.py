"""What all shapes have in common, and what a shape sees of one subject.

    Event ─► Gauge ─┬─ fire window ─► value ─┐
                    └─ clear window ─────────┴─► judged by the limits (levels.py), lived by the cell (cell.py)

Rule 1. A shape is data: a frozen struct whose tag is its name in a rule file. `gauge()` makes its running state.
Rule 2. What a gauge shows depends on its events, its memory and the time, so that judging more often changes nothing.
Rule 3. `memory()` is what does not follow from the documents that the subject remembers; it seldom changes.
        A gauge that is restored gets `recall(memory)` first and its events again after that.
Rule 4. Counts and evidence are over the wider of the two windows: what holds an alert open is also what it shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from riskstream.core.contracts import Holding
from riskstream.core.measure import BOUNDED, FALLING, UNIT, Measure
from riskstream.core.phrases import measured
from riskstream.core.records import Confirmation, WindowView
from riskstream.core.rules.event import Event
from riskstream.core.rules.levels import Limit
from riskstream.core.rules.warmth import Warmth
from riskstream.core.rules.windows import Window

RECENT = 16
"""A text that came now is seldom far from the newest by its time of publication."""

MakeWindow = Callable[[Measure], Window]


class Clear(msgspec.Struct, frozen=True, omit_defaults=True):
    """An open alert clears when this measure falls below the limit."""

    measure: Measure
    limit: float


class Shape(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How a number becomes an alert. `limits` are from the lowest severity to the highest."""

    measure: Measure
    limits: tuple[Limit, ...]
    clear: Clear

    @property
    def name(self) -> str:
        """The shape's name as it stands in the file and in the alert."""
        return str(self.__struct_config__.tag)

    @property
    def horizon_ms(self) -> int:
        """The age beyond which an event means nothing to this shape."""
        return max(self.measure.window_ms, self.clear.measure.window_ms)

    @property
    def needs_ms(self) -> int | None:
        """How much history it needs before it speaks; None where it does not matter since when there is some."""
        return None

    def gauge(self, warmth: Warmth, make: MakeWindow = Window) -> Gauge:
        """Running state for one subject."""
        return Gauge(self, warmth, make)


class Gauge:
    """The running state of a shape for one subject: its windows. Call `advance` before reading it."""

    __slots__ = ("clear", "fire", "now_ms", "shape", "warmth")

    moves = False
    """The value changes as time goes by, without an event coming or leaving."""

    def __init__(self, shape: Shape, warmth: Warmth, make: MakeWindow) -> None:
        self.shape, self.warmth = shape, warmth
        self.fire = make(shape.measure)
        self.clear = self.fire if shape.clear.measure == shape.measure else make(shape.clear.measure)
        self.now_ms = 0

    def add(self, event: Event, now_ms: int) -> bool:
        """Take an event into the windows that it is not too old for; False where it is too old for both."""
        added = False
        for window in (self.fire,) if self.clear is self.fire else (self.fire, self.clear):
            if event.event_ms > now_ms - window.measure.window_ms:
                window.add(event)
                added = True
        return added

    def hear(self, heard_ms: int) -> None:
        """Somebody was heard, of whom no more is known: only `flatline` listens."""

    def remove(self, event_ms: int, sequence: int) -> bool:
        """Take an event out; False where it was not there (any more)."""
        removed = self.fire.remove(event_ms, sequence)
        return (self.clear is not self.fire and self.clear.remove(event_ms, sequence)) or removed

    def advance(self, now_ms: int) -> None:
        """Let the windows go on."""
        self.now_ms = now_ms
        self.fire.advance(now_ms)
        if self.clear is not self.fire:
            self.clear.advance(now_ms)

    @property
    def wide(self) -> Window:
        """The longer of the two windows."""
        return self.fire if self.fire.measure.window_ms > self.clear.measure.window_ms else self.clear

    @property
    def empty(self) -> bool:
        """Nothing is left to look at."""
        return not self.wide.events

    @property
    def idle(self) -> bool:
        """Nothing would be lost if it were dropped."""
        return self.empty

    def view(self) -> WindowView:
        """The value that is compared with the limits, and the counts that the gates look at."""
        return self.fire.view()

    def value(self) -> float:
        """The value that is compared with the limits."""
        return self.fire.value()

    def clear_value(self) -> float:
        """The value that is compared with the clear limit."""
        return self.value() if self.clear is self.fire else self.clear.value()

    def counts(self) -> WindowView:
        """What an alert tells of documents, sources and stories."""
        return self.wide.view()

    def best(self, count_max: int) -> list[Event]:
        """The evidence, most telling first, one event a story."""
        return self.wide.best(count_max)

    def first(self) -> Event | None:
        """The earliest event that an alert counts."""
        return self.wide.first()

    def last(self) -> Event | None:
        """The newest event that an alert counts."""
        return self.wide.last()

    def drivers(self) -> tuple[Holding, ...]:
        """The holdings that drive a portfolio's value."""
        return self.fire.drivers() or self.clear.drivers()

    def confirmed(self, limit: float) -> bool:
        """Whether a text that reports as a fact reaches this limit by itself; where the value counts things, whether
        one of them is such a text."""
        least = limit * UNIT if self.shape.measure.aggregate in BOUNDED else 0.0
        return self.fire.confirmed(least)

    def confirmation(self) -> Confirmation | None:
        """What stands behind the alert; None where nothing is left in the window."""
        return self.wide.confirmation()

    def find(self, signal_id: str) -> Event | None:
        """The event of a signal, if it supports the rule and came within the last few."""
        return next((event for event in self.wide.newest(RECENT) if event.signal.signal_id == signal_id), None)

    def told(self, value: float) -> str:
        """The value in words, with what drives it."""
        words = measured(self.shape.measure, value)
        driven = ", ".join(f"{one.name} ({one.share:.0%} at {one.value:g})" for one in self.fire.drivers()[:3])
        return f"{words}, driven by {driven}" if driven else words

    def told_clear(self, value: float) -> str:
        """The clear value in words."""
        return self.told(value) if self.clear is self.fire else measured(self.shape.clear.measure, value)

    def change_ms(self) -> int | None:
        """When the value or the counts may next change although no signal comes; None for never."""
        due = [ms for ms in (self.fire.due_ms(), self.clear.due_ms()) if ms is not None]
        return min(due, default=None)

    def rise_ms(self) -> int | None:
        """When the value may next rise to the lowest limit although no signal comes; None for never."""
        aggregate = self.shape.measure.aggregate
        able = aggregate == "ratio" or (aggregate in FALLING and self.fire.top() >= self.shape.limits[0].value)
        return self.fire.due_ms() if able else None

    def memory(self) -> Any:
        """What must be kept beside the documents, as a frozen struct; None for nothing."""
        return None

    def recall(self, memory: Any) -> None:
        """Go on from what was kept."""
