"""The window of a portfolio: a window for each holding, weighed by its share of the exposure.

    holding A, 60 %   value 0.9 ─┐
    holding B, 30 %   value 0.2 ─┼─► 0.6·0.9 + 0.3·0.2 + 0.1·0 = 0.60, driven by A
    holding C, 10 %   silent   0 ┘

The value of a portfolio is so the value of its holdings as if they were one, and a holding without news counts as 0.
Counts and evidence are over all holdings together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from riskstream.core.contracts import Holding
from riskstream.core.measure import Measure
from riskstream.core.rules.event import Event
from riskstream.core.rules.windows import Window

HOLDINGS_MAX = 5
"""So many holdings an alert names, those that drive it most first."""


class Basket(Window):
    """A window with one for each holding beside it. `shares` are asked anew each time: a watchlist may change."""

    __slots__ = ("_holdings", "_shares")

    def __init__(self, measure: Measure, shares: Callable[[], Mapping[str, float]]) -> None:
        super().__init__(measure)
        self._shares = shares
        self._holdings: dict[str, Window] = {}

    def drivers(self) -> tuple[Holding, ...]:
        """The holdings that the value is made of, the greatest part first."""
        shares = self._shares()
        found = [
            Holding(holding, window.events[-1].signal.entity.name, round(share, 4), window.value(), round(part, 4))
            for holding, window in self._holdings.items()
            if window.events and (part := (share := shares.get(holding, 0.0)) * window.value()) > 0
        ]
        return tuple(sorted(found, key=lambda one: (-one.contribution, one.id))[:HOLDINGS_MAX])

    def _count(self, event: Event, change: int) -> None:
        super()._count(event, change)
        holding = event.signal.entity.id
        window = self._holdings.get(holding)
        if window is None:
            window = self._holdings[holding] = Window(self.measure)
        if change > 0:
            window.add(event)
        else:
            window.remove(event.event_ms, event.sequence)

    def _aggregate(self) -> float:
        shares = self._shares()
        return sum(shares.get(holding, 0.0) * window.value() for holding, window in self._holdings.items())
