"""`flatline`: somebody who spoke falls silent.

    ──x──x─x──x──┬──────────────────►
                 └── silence in seconds: the value; the limits are seconds too

Rule 1. Only who was heard can fall silent: `heard_min` signals within `window_s`, the last of them ends it.
Rule 2. The value grows with the clock; the next signal ends the alert.
Rule 3. After `forget_s` of silence the subject is taken to be gone: the alert expires and nothing is remembered.
Rule 4. The time of the last signal is kept with a grain of a twentieth of the lowest limit, so that a busy source is
        not written down at every signal.

An honest doubt: a lane hears only what the score stage has read. If that stands still, every source looks silent.
"""

from __future__ import annotations

from typing import Any

import msgspec

from riskstream.core.measure import Measure
from riskstream.core.phrases import span
from riskstream.core.records import SEVERITIES, WindowView
from riskstream.core.rules.event import Event
from riskstream.core.rules.levels import Limit
from riskstream.core.rules.parts import Parts
from riskstream.core.rules.shapes.base import Clear, Gauge, MakeWindow, Shape
from riskstream.core.rules.table import SECONDS_MAX
from riskstream.core.rules.warmth import Warmth
from riskstream.core.rules.windows import Window

_DAY_S = 86_400


class Flatline(Shape, frozen=True, tag="flatline"):
    """Fires when nothing was heard for so many seconds."""

    heard_min: int
    forget_ms: int

    def gauge(self, warmth: Warmth, make: MakeWindow = Window) -> FlatlineGauge:
        """Running state for one subject."""
        return FlatlineGauge(self, warmth, make)


class Heard(msgspec.Struct, frozen=True, tag="flatline"):
    """The times of the last signals, oldest first, at most `heard_min`."""

    times: tuple[int, ...]


class FlatlineGauge(Gauge):
    """When somebody was last heard. The window is for what the alert shows only."""

    __slots__ = ("_grain_ms", "_times")

    shape: Flatline
    moves = True

    def __init__(self, shape: Flatline, warmth: Warmth, make: MakeWindow) -> None:
        super().__init__(shape, warmth, make)
        self._grain_ms = shape.limits[0].value * 1000 / 20
        self._times: tuple[int, ...] = ()

    def add(self, event: Event, now_ms: int) -> bool:
        """Hear a signal."""
        self.hear(event.event_ms)
        return super().add(event, now_ms) or True

    def hear(self, heard_ms: int) -> None:
        """Note that something was heard, signal or not."""
        if not self._times or heard_ms - self._times[-1] >= self._grain_ms:
            self._times = (*self._times, heard_ms)[-self.shape.heard_min :]

    def advance(self, now_ms: int) -> None:
        """Let the window go on; forget who has been silent for too long."""
        super().advance(now_ms)
        if self._times and now_ms - self._times[-1] >= self.shape.forget_ms:
            self._times = ()

    @property
    def empty(self) -> bool:
        """Nobody is remembered."""
        return not self._times

    @property
    def idle(self) -> bool:
        """Nobody is remembered, and the window is empty."""
        return not self._times and not self.fire.events

    def view(self) -> WindowView:
        """The silence. The gates are met: silence has no documents."""
        return msgspec.structs.replace(self.fire.view(), value=self.value())

    def value(self) -> float:
        """The seconds since the last signal; 0 where too little was heard before."""
        shape, times = self.shape, self._times
        if len(times) < shape.heard_min or times[-1] - times[0] > shape.measure.window_ms:
            return 0.0
        return max(0, self.now_ms - times[-1]) / 1000

    def told(self, value: float) -> str:
        """The value in words."""
        return f"silent for {span(round(value) * 1000)}"

    def change_ms(self) -> int | None:
        """The next limit, and when it is forgotten."""
        if not self._times:
            return self.fire.due_ms()
        last_ms = self._times[-1]
        due = [last_ms + round(limit.value * 1000) for limit in self.shape.limits]
        return min(ms for ms in (*due, last_ms + self.shape.forget_ms) if ms > self.now_ms)

    def rise_ms(self) -> int | None:
        """The same."""
        return self.change_ms()

    def memory(self) -> Any:
        """When it was heard."""
        return Heard(self._times) if self._times else None

    def recall(self, memory: Any) -> None:
        """Go on from when it was heard."""
        if isinstance(memory, Heard):
            self._times = memory.times


def parse(parts: Parts) -> Flatline:
    """The shape of a rule's table."""
    table = parts.table
    window_ms = table.seconds("window_s", _DAY_S, least=1)
    levels = parts.levels(SECONDS_MAX, least=1)
    heard_min = table.count("heard_min", 3)
    forget_ms = table.seconds("forget_s", 7 * _DAY_S, least=1)
    limits = tuple(Limit(severity, levels[severity], 0, 0) for severity in SEVERITIES if severity in levels)
    if limits and forget_ms <= limits[-1].value * 1000:
        table.wrong("forget_s", "is not longer than the highest limit", "use more, else that severity is never reached")
    measure = Measure("risk_score", "count", window_ms, 0.0)
    return Flatline(
        measure=measure,
        limits=limits,
        clear=Clear(measure, limits[0].value if limits else 0.0),
        heard_min=heard_min,
        forget_ms=forget_ms,
    )
