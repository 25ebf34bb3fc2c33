"""What a stage tells of its lanes: events for the operator, one condition for the platform."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from riskstream.core.gaps import Gap
from riskstream.core.records import Partition
from riskstream.service.health import Health
from riskstream.service.stages.lanes import Commit, LaneRun, Phase, Restored
from riskstream.telemetry import events as ev
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.watchdogs import Dog, GapsSeen, StageReturned, StageWaits, WatchdogBarked

WAITING: frozenset[Phase] = frozenset({"opening", "restoring", "closed"})


class Report:
    """One stage's voice."""

    def __init__(self, stage: str, telemetry: Telemetry, health: Health, now_ms: Callable[[], int]) -> None:
        self._stage, self._telemetry, self._health, self._now_ms = stage, telemetry, health, now_ms
        self._gap_topics: set[str] = set()
        self._waits_since_ms: int | None = None
        self.not_ready("the group has not been joined yet")

    def changed(self, lane: Partition, state: ev.LaneState, detail: str = "") -> None:
        """A lane is in another state."""
        self._telemetry.emit(ev.LaneChanged(self._stage, lane.topic, lane.partition, state, detail))

    def stopped(self, gap: Gap) -> None:
        """A lane cannot go on."""
        at = (self._stage, gap.partition.topic, gap.partition.partition)
        self._telemetry.emit(ev.LaneChanged(*at, "stopped", str(gap)))

    def barked(self, dog: Dog, detail: str) -> None:
        """A watchdog found something."""
        self._telemetry.emit(WatchdogBarked(dog, detail))

    def restored(self, lane: Partition, restored: Restored) -> None:
        """A lane stands where its last owner stood."""
        at = (self._stage, lane.topic, lane.partition)
        self._telemetry.emit(ev.LaneRestored(*at, restored.records, restored.subjects, restored.seconds))

    def committed(self, lane: Partition, commit: Commit) -> None:
        """A transaction is in."""
        now_ms, at = self._now_ms(), (self._stage, lane.topic, lane.partition)
        waits = tuple(float(now_ms - done.since_ms) for done in commit.results if done.since_ms is not None)
        self._telemetry.emit(ev.Committed(*at, commit.records, commit.outputs, commit.seconds, waits))

    def lost(self, run: LaneRun, error: Exception) -> None:
        """A lane's producer is gone; with it a transaction, unless it was only opening."""
        at = (self._stage, run.partition.topic, run.partition.partition)
        if run.phase not in ("opening", "restoring"):
            self._telemetry.emit(ev.TransactionLost(*at, "unknown", str(error)))
        self._telemetry.emit(ev.LaneFenced(*at, str(error)))

    def lag(self, records: Mapping[str, int]) -> None:
        """What is not committed yet, by topic."""
        for topic, count in records.items():
            self._telemetry.emit(ev.LagSeen(topic, count))

    def not_ready(self, why: str) -> None:
        """No lane can be read, and why."""
        self._health.set(f"{self._stage}.lanes", False, why)

    def waits(self, error: BaseException, again_s: float) -> None:
        """The group is lost: told once, however often joining it again fails."""
        self.not_ready(f"{error}; joining the group again in {again_s:g} s")
        if self._waits_since_ms is None:
            self._waits_since_ms = self._now_ms()
            self._telemetry.emit(StageWaits(self._stage, f"{error}; joining the group again until it succeeds"))

    def joined(self) -> None:
        """The group has given a share."""
        if self._waits_since_ms is not None:
            seconds = (self._now_ms() - self._waits_since_ms) / 1000
            self._telemetry.emit(StageReturned(self._stage, seconds))
            self._waits_since_ms = None

    def lanes(self, phases: Collection[Phase], gaps: Sequence[Gap]) -> None:
        """Ready where each lane is read; a gap says why one never will be."""
        waiting = sum(phase in WAITING for phase in phases)
        why = [f"{waiting} of {len(phases)} partitions are not ready"] if waiting else []
        self._health.set(f"{self._stage}.lanes", not why and not gaps, "; ".join([*why, *map(str, gaps)]))
        for topic in self._gap_topics | {gap.partition.topic for gap in gaps}:
            reasons = Counter(gap.reason for gap in gaps if gap.partition.topic == topic)
            self._telemetry.emit(GapsSeen(self._stage, topic, reasons))
            self._gap_topics.add(topic)
