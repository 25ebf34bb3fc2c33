"""`new`: the first of its kind for this subject.

    ──a──a──b!──a──────b──c!──►    b and c were not there before: each is an event of this shape, the others are not

Rule 1. `of` says what a kind is: the rule's match itself, the category, topic, source, kind or language of a signal.
Rule 2. A kind is new if none was seen for `memory_s`; the time of the last one is kept with a grain of a hundredth of
        that.
Rule 3. Signals within `warm_up_s` of history teach and do not fire.
Rule 4. What is new goes into a window as for `threshold`, so that limits may ask for several new kinds, or for how bad
        the new thing is.

At most `KINDS_MAX` kinds are remembered for each subject; beyond that the one not seen for longest is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import msgspec

from riskstream.core.records import Signal
from riskstream.core.rules.event import Event
from riskstream.core.rules.match import category
from riskstream.core.rules.parts import Parts, greatest_value
from riskstream.core.rules.shapes.base import Gauge, MakeWindow, Shape
from riskstream.core.rules.warmth import Warmth
from riskstream.core.rules.windows import Window

KINDS_MAX = 256
Of = Literal["match", "category", "topic", "source", "kind", "lang"]
OF: dict[str, Callable[[Signal], str]] = {
    "match": lambda signal: "",
    "category": category,
    "topic": lambda signal: max(signal.topic, key=lambda name: (signal.topic[name], name), default=""),
    "source": lambda signal: signal.source,
    "kind": lambda signal: signal.kind,
    "lang": lambda signal: signal.lang,
}


class New(Shape, frozen=True, tag="new"):
    """Fires when something comes that was not there before."""

    of: Of
    memory_ms: int
    warm_up_ms: int

    @property
    def needs_ms(self) -> int:
        """`warm_up_s`."""
        return self.warm_up_ms

    def gauge(self, warmth: Warmth, make: MakeWindow = Window) -> NewGauge:
        """Running state for one subject."""
        return NewGauge(self, warmth, make)


class Seen(msgspec.Struct, frozen=True, tag="new"):
    """The kinds with the time of their last signal, the longest unseen first; what was new, as sequence number →
    (time, kind), while it may be in a window. Events up to the number `upto` have taught all that they had to."""

    kinds: dict[str, int]
    firsts: dict[int, tuple[int, str]]
    upto: int


class NewGauge(Gauge):
    """Windows that only what is new gets into."""

    __slots__ = ("_firsts", "_kind", "_kinds", "_latest_ms", "_newest", "_upto")

    shape: New

    def __init__(self, shape: New, warmth: Warmth, make: MakeWindow) -> None:
        super().__init__(shape, warmth, make)
        self._kind = OF[shape.of]
        self._kinds: dict[str, int] = {}
        self._firsts: dict[int, tuple[int, str]] = {}
        self._upto = self._newest = self._latest_ms = 0

    def add(self, event: Event, now_ms: int) -> bool:
        """Learn the event's kind; take it into the windows if that is new. What comes again at a restore is known."""
        self._newest, self._latest_ms = max(self._newest, event.sequence), max(self._latest_ms, event.event_ms)
        if event.sequence > self._upto:
            self._learn(event, now_ms)
        return event.sequence in self._firsts and super().add(event, now_ms)

    def remove(self, event_ms: int, sequence: int) -> bool:
        """Take an event out; what it alone taught is forgotten, so that its revision may be new again."""
        first = self._firsts.pop(sequence, None)
        if first is not None and self._kinds.get(first[1]) == event_ms:
            del self._kinds[first[1]]
            self._upto = self._newest
        return super().remove(event_ms, sequence) or first is not None

    def advance(self, now_ms: int) -> None:
        """Let the windows go on, and forget what was new then."""
        super().advance(now_ms)
        gone_ms = now_ms - self.wide.measure.window_ms
        for sequence in [sequence for sequence, (event_ms, _) in self._firsts.items() if event_ms <= gone_ms]:
            del self._firsts[sequence]

    @property
    def idle(self) -> bool:
        """Nothing is in the windows, every kind would be new again, and no event is left that would teach one again."""
        if self._latest_ms > self.now_ms - self.shape.horizon_ms:
            return False
        unseen_ms = self.now_ms - self.shape.memory_ms - self.wide.measure.window_ms
        return self.empty and all(last_ms < unseen_ms for last_ms in self._kinds.values())

    def memory(self) -> Any:
        """The kinds that were seen."""
        known = self._upto or self._kinds
        return Seen(dict(self._kinds), dict(self._firsts), self._upto) if known else None

    def recall(self, memory: Any) -> None:
        """Go on from the kinds that were seen."""
        if isinstance(memory, Seen):
            self._kinds, self._firsts, self._upto = dict(memory.kinds), dict(memory.firsts), memory.upto

    def _learn(self, event: Event, now_ms: int) -> None:
        kind = self._kind(event.signal)
        last_ms = self._kinds.get(kind)
        if last_ms is not None and event.event_ms - last_ms < self.shape.memory_ms / 100:
            return
        self._upto = event.sequence
        self._kinds.pop(kind, None)
        self._kinds[kind] = event.event_ms
        if len(self._kinds) > KINDS_MAX:
            del self._kinds[next(iter(self._kinds))]
        unseen = last_ms is None or event.event_ms - last_ms > self.shape.memory_ms
        if unseen and self.warmth.ready(now_ms):
            self._firsts[event.sequence] = (event.event_ms, kind)


def parse(parts: Parts) -> New:
    """The shape of a rule's table."""
    table = parts.table
    of = cast("Of", table.text("of", "match", tuple(OF)))
    measure = parts.measure(default="count")
    limits = parts.limits(greatest_value(measure), default=1.0 if measure.aggregate == "count" else None)
    measure = parts.supported_from(measure, limits)
    clear = parts.clear(measure, limits)
    memory_ms = table.seconds("memory_s", least=1)
    warm_up_ms = table.seconds("warm_up_s", memory_ms / 1000, least=0)
    return New(measure=measure, limits=limits, clear=clear, of=of, memory_ms=memory_ms, warm_up_ms=warm_up_ms)
