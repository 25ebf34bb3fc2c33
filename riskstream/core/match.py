"""Which signals a rule takes: data, and a sieve made of it that is asked for every signal.

    Signal ─► Sieve(Match) ─► taken or not

Every part that is there must hold. `entities` and `groups` do not change from one signal of a subject to the next and
are asked once a subject, by `may_take` in rules.py.
"""

from __future__ import annotations

import msgspec

from riskstream.core.records import Signal
from riskstream.core.rules_fields import reader


class Match(msgspec.Struct, frozen=True, omit_defaults=True):
    """The parts: `minima` are (field, least value); `categories` asks for one of these risks as the strongest."""

    kinds: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    langs: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    minima: tuple[tuple[str, float], ...] = ()


class Sieve:
    """A match made ready to be asked for every signal."""

    __slots__ = ("_categories", "_kinds", "_langs", "_minima", "_sources")

    def __init__(self, match: Match) -> None:
        self._kinds, self._sources = frozenset(match.kinds), frozenset(match.sources)
        self._langs, self._categories = frozenset(match.langs), frozenset(match.categories)
        self._minima = tuple((reader(field), least) for field, least in match.minima)

    def takes(self, signal: Signal) -> bool:
        """The signal passes every part that may differ between signals of one subject."""
        if self._kinds and signal.kind not in self._kinds:
            return False
        if self._sources and signal.source not in self._sources:
            return False
        if self._langs and signal.lang not in self._langs:
            return False
        if self._categories and category(signal) not in self._categories:
            return False
        return not self._minima or all(read(signal) >= least for read, least in self._minima)


def category(signal: Signal) -> str:
    """The strongest risk of a signal; empty where it has none."""
    return max(signal.risk, key=lambda name: (signal.risk[name], name), default="")
