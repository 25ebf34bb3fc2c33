"""What a daemon found wrong with what it stands on: its topics, its source, its lanes, its model; and its metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
import prometheus_client as prom

from riskstream.core.gaps import GAP_REASONS, GapReason

Dog = Literal["source", "lane", "model", "memory"]
DOGS: tuple[Dog, ...] = ("source", "lane", "model", "memory")


class GapsSeen(msgspec.Struct, frozen=True):
    """All gaps of a topic that one stage of this daemon stands before now, as reason → partitions."""

    stage: str
    topic: str
    counts: Mapping[GapReason, int]


class WatchdogBarked(msgspec.Struct, frozen=True):
    """Something stood still that had work, or ran out of memory; `detail` says what, and what is done about it."""

    dog: Dog
    detail: str


class StageWaits(msgspec.Struct, frozen=True):
    """A stage has lost its group, mostly because no broker answers, and tries to join it again until it can."""

    stage: str
    detail: str


class StageReturned(msgspec.Struct, frozen=True):
    """The stage is in its group again, so long after it had lost it."""

    stage: str
    seconds: float


Watchdog = GapsSeen | WatchdogBarked | StageWaits | StageReturned


class WatchdogMetrics:
    """The series of these events. `counter` and `gauge` make one of `series/` in the daemon's registry."""

    def __init__(self, counter: Callable[[str], prom.Counter], gauge: Callable[[str], prom.Gauge]) -> None:
        self.gaps = gauge("gaps")
        self.barked = counter("watchdog_total")
        self.waiting = gauge("stage_waiting")
        for dog in DOGS:
            self.barked.labels(dog)

    def apply(self, event: Watchdog) -> None:
        """Change them by what happened."""
        match event:
            case GapsSeen(stage=stage, topic=topic, counts=gaps):
                for why in GAP_REASONS:
                    self.gaps.labels(stage, topic, why).set(gaps.get(why, 0))
            case WatchdogBarked(dog=dog):
                self.barked.labels(dog).inc()
            case StageWaits(stage=stage):
                self.waiting.labels(stage).set(1)
            case StageReturned(stage=stage):
                self.waiting.labels(stage).set(0)
