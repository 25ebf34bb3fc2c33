"""The rules that may take a signal of one kind of subject, arranged so that most are not even asked.

    Signal ─┬─ rules that ask for nothing ──────────────────────────► taken
            ├─ by its source, category, kind or language ─► the few ─┐
            └─ by a least value: those at or below ────────► the few ─┴─ Taker.takes() ─► taken

Each rule stands in one place, under the part of its match that lets the fewest signals through. A desk has fifty rules,
and a signal is taken by five: the other forty-five cost a look-up for each part that any of them uses.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from riskstream.core.records import Signal
from riskstream.core.rules.fields import reader
from riskstream.core.rules.match import Match, category
from riskstream.core.rules.rule import Taker

_VALUES: dict[str, Callable[[Signal], str]] = {
    "sources": lambda signal: signal.source,
    "categories": category,
    "kinds": lambda signal: signal.kind,
    "langs": lambda signal: signal.lang,
}
"""The parts of a match that ask for one of several values, the most telling first."""


class Panel:
    """Takers of one kind of subject. `all` is every one, in the order of their names."""

    __slots__ = ("_asking", "_by_least", "_by_value", "_open", "all")

    def __init__(self, takers: tuple[Taker, ...]) -> None:
        self.all = takers
        self._open: list[Taker] = []
        self._asking: list[Taker] = []
        by_value: dict[str, dict[str, list[Taker]]] = {}
        by_least: dict[str, list[tuple[float, Taker]]] = {}
        for taker in takers:
            match = taker.rule.condition.match
            if not taker.asks:
                self._open.append(taker)
            elif part := _values(match):
                for value in getattr(match, part):
                    by_value.setdefault(part, {}).setdefault(value, []).append(taker)
            elif match.minima:
                field, least = max(match.minima, key=lambda one: one[1])
                by_least.setdefault(field, []).append((least, taker))
            else:
                self._asking.append(taker)
        self._by_value = [(_VALUES[part], places) for part, places in by_value.items()]
        self._by_least: list[tuple[Callable[[Signal], float], list[float], list[Taker]]] = []
        for field, pairs in by_least.items():
            pairs.sort(key=lambda pair: (pair[0], pair[1].name))
            self._by_least.append((reader(field), [least for least, _ in pairs], [taker for _, taker in pairs]))

    def takers_of(self, signal: Signal) -> list[Taker]:
        """The rules that take a signal, in no order."""
        found = self._asking.copy()
        for value_of, places in self._by_value:
            found += places.get(value_of(signal), ())
        for read, leasts, takers in self._by_least:
            if count := bisect_right(leasts, read(signal)):
                found += takers[:count]
        return self._open + [taker for taker in found if taker.takes(signal)] if found else self._open


def _values(match: Match) -> str:
    return next((part for part in _VALUES if getattr(match, part)), "")
