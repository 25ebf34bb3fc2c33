"""Which texts about one subject are the same story, told again.

    signal ─ place() ─► same letters as a remembered text? its wording near one? ─► that story, else a story of its own
                              Placed(story, since, copies, voice, sources)

Rule 1. A text is placed once, at its arrival, among the texts that the subject remembers then; that is kept with it.
Rule 2. Near copies are one story: the same fingerprint, else the nearest sketch within `NEAR_BITS`; of equals, the one
        that came first. A copy of a copy is of the same story, so that each may be edited a little more.
Rule 3. A story speaks with the voice of its first telling, however many pass it on: copies corroborate nothing.
Rule 4. Compared are the last `TELLINGS_MAX` texts with a sketch, so that a flood costs each text the same.
Rule 5. All of this follows from the remembered texts, in the order in which they came: a subject that is restored from
        them places the next text as it would have done before.
"""

from __future__ import annotations

from itertools import islice

import msgspec

from riskstream.core.reading.sketch import NEAR_BITS, as_bits
from riskstream.core.records import Signal

TELLINGS_MAX = 256
"""About 15 microseconds a text at most; an entity with more texts than this in a day finds copies among the latest."""


class Placed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where a text stands among those before it. `story` names the story by the fingerprint of its first telling, which
    was at `since_ms`, by `voice`; `copies` is how often it was told before; `sources` how many have carried it, this
    one included."""

    story: str
    since_ms: int
    voice: str
    copies: int = 0
    sources: int = 1


def alone(signal: Signal, event_ms: int) -> Placed:
    """The place of the first telling of a story."""
    return Placed(signal.fingerprint, event_ms, signal.voice or signal.source)


class _Telling(msgspec.Struct, frozen=True, gc=False):
    fingerprint: str
    source: str
    placed: Placed


class Stories:
    """The texts of one subject by story. `sequence` is the order of their arrival."""

    __slots__ = ("_by_fingerprint", "_sketched", "_stories", "_tellings")

    def __init__(self) -> None:
        self._tellings: dict[int, _Telling] = {}
        self._sketched: dict[int, int] = {}
        self._by_fingerprint: dict[str, tuple[int, ...]] = {}
        self._stories: dict[str, tuple[int, ...]] = {}

    def place(self, signal: Signal, event_ms: int) -> Placed:
        """Where this text stands. It is not remembered yet."""
        like = self._like(signal)
        if like is None:
            return alone(signal, event_ms)
        story = self._tellings[like].placed
        members = [self._tellings[sequence] for sequence in self._stories[story.story]]
        return Placed(
            story.story,
            min(story.since_ms, event_ms),
            story.voice,
            max(member.placed.copies for member in members) + 1,
            len({signal.source, *(member.source for member in members)}),
        )

    def add(self, sequence: int, signal: Signal, placed: Placed) -> None:
        """Remember a text, in the order of arrival."""
        self._tellings[sequence] = _Telling(signal.fingerprint, signal.source, placed)
        if signal.sketch and (bits := as_bits(signal.sketch)):
            self._sketched[sequence] = bits
        self._by_fingerprint[signal.fingerprint] = (*self._by_fingerprint.get(signal.fingerprint, ()), sequence)
        self._stories[placed.story] = (*self._stories.get(placed.story, ()), sequence)

    def remove(self, sequence: int) -> None:
        """Forget a text."""
        telling = self._tellings.pop(sequence, None)
        if telling is None:
            return
        self._sketched.pop(sequence, None)
        for groups, name in ((self._by_fingerprint, telling.fingerprint), (self._stories, telling.placed.story)):
            left = tuple(other for other in groups[name] if other != sequence)
            if left:
                groups[name] = left
            else:
                del groups[name]

    def _like(self, signal: Signal) -> int | None:
        """The remembered text that this one is a copy of."""
        if same := self._by_fingerprint.get(signal.fingerprint):
            return same[0]
        bits = as_bits(signal.sketch) if signal.sketch and self._sketched else 0
        if not bits:
            return None
        near, found = NEAR_BITS + 1, None
        for sequence, other in islice(reversed(self._sketched.items()), TELLINGS_MAX):
            apart = (bits ^ other).bit_count()
            if apart < near or (apart == near and found is not None):
                near, found = apart, sequence
        return found
