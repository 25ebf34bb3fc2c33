"""What a stage looks after while it runs: sources that fall silent, and lanes that answer nothing.

    a source stands before records that the broker holds    `source_silent_s` ─┐   the group is joined anew;
    a lane has records in flight and commits none           `lane_stuck_s`    ─┴─► again, with no commit since: exit 1

Rule 1. Joining anew throws away what may be broken: the client's connections, the lanes' work. The records come again.
Rule 2. A broker that does not answer is no silent source: its lanes time out by themselves.
Rule 3. A lane that is full, or stands before a gap, is not meant to be read, and no source is silent for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from riskstream.core.errors import InternalError, LaneLost
from riskstream.core.lanes.stillness import Stillness
from riskstream.core.ports import Source
from riskstream.core.records import Partition
from riskstream.sections.trouble import Watchdogs
from riskstream.service.stages.lanes import LaneRun
from riskstream.service.stages.report import Report
from riskstream.telemetry.watchdogs import Dog

LOOKS = 4
"""Looks within the shorter limit."""

Runs = Mapping[Partition, LaneRun]


class StageDogs:
    """The watchdogs of one stage. They live as long as it does, over all its memberships."""

    def __init__(self, limits: Watchdogs, report: Report, reads: Callable[[Partition, LaneRun], bool]) -> None:
        """`reads` tells whether a lane is meant to be read now: ready, with room, and before no gap."""
        self._limits, self._report, self._reads = limits, report, reads
        self._period_s = min(limits.source_silent_s, limits.lane_stuck_s) / LOOKS
        self._barked = False

    async def watch(self, source: Source, runs: Runs) -> None:
        """Look again and again, until cancelled. Raises LaneLost, and InternalError where joining anew did not help."""
        silent: dict[LaneRun, Stillness] = {}
        stuck: dict[LaneRun, Stillness] = {}
        silent_ms, stuck_ms = (int(s * 1000) for s in (self._limits.source_silent_s, self._limits.lane_stuck_s))
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._period_s)
            now_ms = int(clock() * 1000)
            silent = {run: silent.get(run) or Stillness(silent_ms) for run in runs.values()}
            stuck = {run: stuck.get(run) or Stillness(stuck_ms) for run in runs.values()}
            for partition, run in list(runs.items()):
                self._barked = self._barked and not run.commits
                busy = run.phase == "ready" and run.in_flight > 0
                if stuck[run].see(run.commits, due=busy, now_ms=now_ms):
                    self._bark("lane", partition, f"none of {run.in_flight} records in flight is answered")
                if (position := source.position(partition)) is None:
                    continue
                unread = self._reads(partition, run) and await _holds_more(source, partition, position)
                if silent[run].see(position, due=unread, now_ms=now_ms):
                    self._bark("source", partition, f"nothing comes at offset {position}, and the broker holds more")

    def _bark(self, dog: Dog, partition: Partition, detail: str) -> None:
        seconds = self._limits.lane_stuck_s if dog == "lane" else self._limits.source_silent_s
        words = f"{partition.topic}/{partition.partition}: for {seconds:g} s {detail}"
        self._report.barked(dog, words)
        if self._barked:
            raise InternalError(f"{words}; joining the group again did not help")
        self._barked = True
        raise LaneLost(words)


async def _holds_more(source: Source, partition: Partition, position: int) -> bool:
    try:
        return await source.end_offset(partition) > position
    except LaneLost:
        return False
