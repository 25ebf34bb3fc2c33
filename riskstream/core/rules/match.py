"""Which signals a rule takes: data, and a sieve made of it that is asked for every signal.

    Signal ─► Sieve(Match) ─► taken or not

Every part that is there must hold. Where the subject is the entity, `entities` and `groups` are asked once a subject,
by `may_take` in rules.py; where it is another, the sieve is given the entities that may pass.
"""

from __future__ import annotations

import msgspec

from riskstream.core.records import Signal
from riskstream.core.rules.fields import reader


class Match(msgspec.Struct, frozen=True, omit_defaults=True):
    """The parts: `minima` are (field, least value); `categories` asks for one of these risks as the strongest; of a
    story at most `copies_max` tellings after the first are taken."""

    kinds: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    langs: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    minima: tuple[tuple[str, float], ...] = ()
    copies_max: int | None = None


class Sieve:
    """A match made ready to be asked for every signal."""

    __slots__ = ("_categories", "_copies_max", "_entities", "_kinds", "_langs", "_minima", "_sources")

    def __init__(self, match: Match, entities: frozenset[str] | None = None) -> None:
        self._entities = entities
        self._kinds, self._sources = frozenset(match.kinds), frozenset(match.sources)
        self._langs, self._categories = frozenset(match.langs), frozenset(match.categories)
        self._copies_max = match.copies_max
        self._minima = tuple((reader(field), least) for field, least in match.minima)

    @property
    def narrow(self) -> bool:
        """Only some entities pass."""
        return self._entities is not None

    def takes(self, signal: Signal, copies: int = 0) -> bool:
        """The signal, told so often before, passes every part that may differ between signals of one subject."""
        if self._copies_max is not None and copies > self._copies_max:
            return False
        if self._kinds and signal.kind not in self._kinds:
            return False
        if self._sources and signal.source not in self._sources:
            return False
        if self._langs and signal.lang not in self._langs:
            return False
        if self._entities is not None and signal.entity.id not in self._entities:
            return False
        if self._categories and category(signal) not in self._categories:
            return False
        return not self._minima or all(read(signal) >= least for read, least in self._minima)

    def hears(self, source: str, kind: str, lang: str) -> bool:
        """A document of which nothing else is known would pass: nothing else is asked for."""
        return (
            (not self._kinds or kind in self._kinds)
            and (not self._sources or source in self._sources)
            and (not self._langs or lang in self._langs)
            and not (self._minima or self._categories or self._entities is not None)
        )


def category(signal: Signal) -> str:
    """The strongest risk of a signal; empty where it has none."""
    return max(signal.risk, key=lambda name: (signal.risk[name], name), default="")
