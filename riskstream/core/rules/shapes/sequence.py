"""`sequence`: one thing, then another, within a window.

    step 1   ──x────────x──────────      a rumour on social media …
    step 2   ──────x────────────x──      … then a filing
    value        1 2                     the steps done, in order; the limit is all of them unless the rule says less

Rule 1. A signal does at most one step: the next one that it fits, by the time of publication. Two signals of one time
        count in the order in which they came.
Rule 2. The first step to the last lie within `window_s`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from riskstream.core.measure import Measure
from riskstream.core.phrases import span
from riskstream.core.records import WindowView
from riskstream.core.rules.event import Event
from riskstream.core.rules.match import Match
from riskstream.core.rules.parts import Parts
from riskstream.core.rules.shapes.base import Clear, Gauge, MakeWindow, Shape
from riskstream.core.rules.warmth import Warmth
from riskstream.core.rules.windows import Window


class Sequence(Shape, frozen=True, tag="sequence"):
    """Fires when so many steps were done in their order."""

    steps: tuple[Match, ...]

    def gauge(self, warmth: Warmth, make: MakeWindow = Window) -> SequenceGauge:
        """Running state for one subject."""
        return SequenceGauge(self, warmth, make)


class SequenceGauge(Gauge):
    """A window of everything that fits a step, and the chain that runs through it."""

    __slots__ = ("_chain", "_chained")

    shape: Sequence

    def __init__(self, shape: Sequence, warmth: Warmth, make: MakeWindow) -> None:
        super().__init__(shape, warmth, make)
        self._chain: list[Event] = []
        self._chained: Any = None

    def chain(self) -> list[Event]:
        """The signals that do the steps: for each step the earliest that can."""
        view = self.fire.view()
        if self._chained is not view:
            self._chain, self._chained = [], view
            for event in self.fire.events:
                step = len(self._chain)
                if step < len(self.shape.steps) and event.steps >> step & 1:
                    self._chain.append(event)
        return self._chain

    def view(self) -> WindowView:
        """The window's counts, with the number of steps done."""
        return msgspec.structs.replace(self.fire.view(), value=self.value())

    def value(self) -> float:
        """The number of steps done."""
        return float(len(self.chain()))

    def best(self, count_max: int) -> list[Event]:
        """The steps, in their order: together they are the evidence."""
        return self.chain()[:count_max]

    def first(self) -> Event | None:
        """The first step, or the earliest signal that fits one."""
        return next(iter(self.chain()), super().first())

    def told(self, value: float) -> str:
        """The value in words."""
        return f"{value:g} of {len(self.shape.steps)} steps in their order within {span(self.shape.measure.window_ms)}"


def parse(parts: Parts) -> Sequence:
    """The shape of a rule's table."""
    steps = parts.steps()
    count = float(max(2, len(steps)))
    measure = Measure("risk_score", "count", parts.table.seconds("window_s", least=1), 0.0)
    limits = parts.limits(count, least=1, default=count)
    clear = parts.clear(measure, limits, own_measure=False)
    return Sequence(measure=measure, limits=limits, clear=Clear(measure, clear.limit), steps=steps)
