"""`spike`: far more than this subject is used to.

    ├──── baseline: whole buckets, each as long as the window ────┤ open ├── window ──┤ now
      2    1    0    3    2    1    1    0    2    …   mean 1.3             9 = 6.9 times

Rule 1. The baseline is the same aggregate over earlier buckets of `window_s`, of at most `baseline_s`, empty ones
        counted. It has no bucket from before the lane had history of this model.
Rule 2. An event that has left the window waits until its bucket is wholly behind the window; then the bucket counts.
        One that came too late for the window is in no bucket.
Rule 3. `scale = "times"`: the value is current / mean. `scale = "deviations"`: (current − mean) / standard deviation.
        Neither divides by less than `baseline_min`: three texts about a firm that nobody writes about are no spike.
Rule 4. It says 0 until there is `warm_up_s` of history.
"""

from __future__ import annotations

import math
from typing import Any, Literal, cast

import msgspec

from riskstream.core.measure import UNIT, Aggregate
from riskstream.core.phrases import aggregated, span
from riskstream.core.records import WindowView
from riskstream.core.rules.event import Event
from riskstream.core.rules.fields import greatest
from riskstream.core.rules.parts import Parts
from riskstream.core.rules.shapes.base import Clear, Gauge, MakeWindow, Shape
from riskstream.core.rules.warmth import Warmth
from riskstream.core.rules.windows import Window

Scale = Literal["times", "deviations"]
MEASURABLE: tuple[Aggregate, ...] = ("count", "sum", "mean")
BUCKETS_MIN, BUCKETS_MAX = 4, 1_000
"""With fewer buckets a mean says little; a thousand are about 50 kB for a subject that speaks in each of them."""


class Spike(Shape, frozen=True, tag="spike"):
    """Fires when the aggregate is so many times, or deviations above, its own baseline."""

    scale: Scale
    baseline_ms: int
    baseline_min: float
    warm_up_ms: int

    @property
    def horizon_ms(self) -> int:
        """An event matters until its bucket has closed: after two windows, and a tick."""
        return 3 * self.measure.window_ms

    @property
    def needs_ms(self) -> int:
        """`warm_up_s`."""
        return self.warm_up_ms

    def gauge(self, warmth: Warmth, make: MakeWindow = Window) -> SpikeGauge:
        """Running state for one subject."""
        return SpikeGauge(self, warmth, make)


class Bucket(msgspec.Struct, frozen=True, array_like=True):
    """One bucket of the baseline: its number on the grid, signals, supporting ones, sum and sum of squares."""

    number: int
    signals: int = 0
    supporting: int = 0
    total: int = 0
    squares: int = 0


class Baseline(msgspec.Struct, frozen=True, tag="spike"):
    """The closed buckets in which something was, oldest first; whatever is older than `closed_ms` is closed."""

    closed_ms: int
    buckets: tuple[Bucket, ...]


class SpikeGauge(Gauge):
    """A window and what came before it."""

    __slots__ = ("_buckets", "_closed_ms", "_left", "_usual")

    shape: Spike

    def __init__(self, shape: Spike, warmth: Warmth, make: MakeWindow) -> None:
        super().__init__(shape, warmth, make)
        self._left: list[Event] = []
        self._buckets: dict[int, Bucket] = {}
        self._closed_ms = 0
        self._usual: tuple[int, int, float, float] | None = None

    def remove(self, event_ms: int, sequence: int) -> bool:
        """Take an event out of the window or, where it has just left that, out of what waits for its bucket."""
        if super().remove(event_ms, sequence):
            return True
        kept = [event for event in self._left if event[:2] != (event_ms, sequence)]
        removed, self._left = len(kept) < len(self._left), kept
        return removed

    def advance(self, now_ms: int) -> None:
        """Events leave the window and wait; buckets close over them; the oldest buckets go."""
        self.now_ms = now_ms
        self._left += [event for event in self.fire.advance(now_ms) if event.event_ms >= self._closed_ms]
        self._closed_ms = max(self._closed_ms, self._closing_ms(now_ms))
        waiting = [event for event in self._left if event.event_ms >= self._closed_ms]
        if len(waiting) < len(self._left):
            for event in self._left:
                if event.event_ms < self._closed_ms:
                    self._count(event)
            self._left = waiting
        oldest = self._span()[0]
        for number in [number for number in self._buckets if number < oldest]:
            del self._buckets[number]

    @property
    def idle(self) -> bool:
        """Nothing is in the window, nothing waits and nothing is in the baseline."""
        return self.empty and not self._left and not self._buckets

    def view(self) -> WindowView:
        """The window's counts, with the value against the baseline."""
        return msgspec.structs.replace(self.fire.view(), value=self.value())

    def value(self) -> float:
        """How far above its baseline; 0 while there is too little history."""
        if not self.fire.events or not self.warmth.ready(self.now_ms):
            return 0.0
        mean, deviation = self.usual()
        current, least = self.fire.value(), self.shape.baseline_min
        if self.shape.scale == "times":
            return round(current / max(mean, least), 4)
        return round(max(0.0, current - mean) / max(deviation, least), 4)

    def usual(self) -> tuple[float, float]:
        """The baseline's mean and standard deviation."""
        oldest, open_ = self._span()
        if self._usual is None or self._usual[:2] != (oldest, open_):
            closed = list(self._buckets.values())
            self._usual = (oldest, open_, *_mean(self.shape.measure.aggregate, closed, max(0, open_ - oldest)))
        return self._usual[2:]

    def told(self, value: float) -> str:
        """The value in words, with what it is compared to."""
        measure, usual = self.shape.measure, self.usual()[0]
        how = "times" if self.shape.scale == "times" else "deviations above"
        now = f"{aggregated(measure)} {self.fire.value():g} over {span(measure.window_ms)}"
        return f"{now}, {value:g} {how} the usual {usual:.3g}"

    def change_ms(self) -> int | None:
        """When an event leaves, a bucket closes or the history is long enough."""
        return self._next_ms()

    def rise_ms(self) -> int | None:
        """The same: a falling baseline lifts the value."""
        return self._next_ms()

    def memory(self) -> Any:
        """The closed buckets; what waits for one is counted from the documents."""
        if not self._buckets:
            return None
        return Baseline(self._closed_ms, tuple(self._buckets[number] for number in sorted(self._buckets)))

    def recall(self, memory: Any) -> None:
        """Go on from closed buckets."""
        if isinstance(memory, Baseline):
            self._closed_ms = memory.closed_ms
            self._buckets = {bucket.number: bucket for bucket in memory.buckets}

    def _next_ms(self) -> int | None:
        window_ms = self.shape.measure.window_ms
        due = [self.fire.due_ms()]
        if self.fire.events or self._left:
            due.append(self._closing_ms(self.now_ms) + 2 * window_ms)
        if self.fire.events and not self.warmth.ready(self.now_ms):
            due.append(self.warmth.ready_ms)
        return min((ms for ms in due if ms is not None), default=None)

    def _closing_ms(self, now_ms: int) -> int:
        """The end of the newest bucket that is wholly behind the window."""
        window_ms = self.shape.measure.window_ms
        return (now_ms - window_ms) // window_ms * window_ms

    def _span(self) -> tuple[int, int]:
        """The numbers of the oldest bucket of the baseline and of the first that is not in it any more."""
        window_ms, since_ms = self.shape.measure.window_ms, self.warmth.since_ms
        open_ = self._closed_ms // window_ms
        oldest = open_ - self.shape.baseline_ms // window_ms
        return (oldest if since_ms is None else max(oldest, -(-since_ms // window_ms))), open_

    def _count(self, event: Event) -> None:
        number = event.event_ms // self.shape.measure.window_ms
        old = self._buckets.get(number) or Bucket(number)
        supports = event.amount >= round(self.shape.measure.at_least * UNIT)
        self._buckets[number] = Bucket(
            number,
            old.signals + 1,
            old.supporting + supports,
            old.total + event.amount,
            old.squares + event.amount**2,
        )


def _mean(aggregate: Aggregate, buckets: list[Bucket], count: int) -> tuple[float, float]:
    """Mean and deviation: of the buckets for count and sum, the empty ones too; of the signals for a mean."""
    if aggregate == "mean":
        count = sum(bucket.signals for bucket in buckets)
        total, squares = sum(bucket.total for bucket in buckets), sum(bucket.squares for bucket in buckets)
        unit = UNIT
    else:
        amounts = [bucket.supporting if aggregate == "count" else bucket.total for bucket in buckets]
        total, squares = sum(amounts), sum(amount**2 for amount in amounts)
        unit = 1 if aggregate == "count" else UNIT
    if not count:
        return 0.0, 0.0
    variance = max(0, squares * count - total**2) / count**2
    return total / count / unit, math.sqrt(variance) / unit


def parse(parts: Parts) -> Spike:
    """The shape of a rule's table."""
    table = parts.table
    measure = parts.measure(MEASURABLE, "count")
    scale = cast("Scale", table.text("scale", "times", ("times", "deviations")))
    limits = parts.limits(float("inf"), least=0)
    if limits and scale == "times" and limits[0].value <= 1:
        table.wrong("limits" if table.has("limits") else "limit", "is no spike", "use more than 1 times the usual")
    at_least = table.number("at_least", 0.0, least=0, most=greatest(measure.field))
    measure = msgspec.structs.replace(measure, at_least=at_least)
    baseline_ms = table.seconds("baseline_s", least=1)
    buckets = baseline_ms // measure.window_ms
    if table.has("baseline_s") and not BUCKETS_MIN <= buckets <= BUCKETS_MAX:
        problem = f"is {buckets} times window_s"
        table.wrong("baseline_s", problem, f"use {BUCKETS_MIN} to {BUCKETS_MAX:,} times window_s")
    least = table.number("baseline_min", 1.0 if measure.aggregate == "count" else 0.05, least=0.001)
    warm_up_ms = table.seconds("warm_up_s", baseline_ms / 1000, least=0)
    clear = parts.clear(measure, limits, own_measure=False)
    return Spike(
        measure=measure,
        limits=limits,
        clear=Clear(measure, clear.limit),
        scale=scale,
        baseline_ms=baseline_ms,
        baseline_min=least,
        warm_up_ms=warm_up_ms,
    )
