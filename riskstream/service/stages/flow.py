"""How much of each lane is let in, how much waits outside, and what time it is for a lane that has read it all.

    in flight ≥ in_flight_max ─► paused ─► in flight ≤ half of it ─► resumed        (polling goes on all the while)
    lag of a lane = 0 ─► the wall clock may tick in it

Rule 1. A lane is paused for what is in flight in it alone; the others are read on.
Rule 2. A lane whose records wait outside is never told the time: what they say comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from riskstream.core.ports import Source
from riskstream.core.records import Partition
from riskstream.service.stages.gaps import Gaps
from riskstream.service.stages.lanes import LaneRun, Processor
from riskstream.service.stages.report import Report

Runs = Mapping[Partition, LaneRun]


class Flow:
    """The flow into one stage's lanes."""

    def __init__(
        self,
        topics: Iterable[str],
        in_flight_max: int,
        *,
        gaps: Gaps,
        processor: Processor,
        report: Report,
        now_ms: Callable[[], int],
    ) -> None:
        self._topics, self._in_flight_max = tuple(topics), in_flight_max
        self._gaps, self._processor, self._report, self._now_ms = gaps, processor, report, now_ms
        self._unread: dict[Partition, int] = {}

    def balance(self, source: Source, runs: Runs) -> None:
        """Pause the lanes that have enough in flight, resume those that have room again."""
        busy = {p for p, run in runs.items() if run.in_flight >= self._in_flight_max}
        idle = {p for p, run in runs.items() if self.reads(p, run)}
        source.pause(frozenset(busy))
        source.resume(frozenset(idle))

    def reads(self, partition: Partition, run: LaneRun) -> bool:
        """Whether a lane is meant to be read: open, with room, and before no gap."""
        return run.phase == "ready" and run.in_flight <= self._in_flight_max // 2 and partition not in self._gaps

    def tick(self, source: Source, runs: Runs) -> None:
        """Lanes that have read all there is follow the wall clock."""
        lags = dict.fromkeys(self._topics, 0)  # also of a topic whose last lane has left
        for partition, run in runs.items():
            lag = source.lag(partition)
            if lag is not None:
                self._unread[partition] = lag
            behind = self._unread.get(partition, 0) + run.in_flight
            lags[partition.topic] += behind
            ready = run.phase == "ready" and partition not in self._gaps
            if ready and lag == 0 and (done := self._processor.tick(partition, self._now_ms())):
                run.add(done)
        self._report.lag(lags)

    def closed(self, partition: Partition) -> None:
        """The lane is gone."""
        self._unread.pop(partition, None)
