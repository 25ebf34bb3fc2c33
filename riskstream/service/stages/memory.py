"""The state log of the watch stage: what lanes read from it when they are assigned, and write into it as they go.

lane N of signals ◄─► partition N of the state topic, written in the lane's own transactions and by nobody else
"""

from __future__ import annotations

import msgspec

from riskstream.core.errors import OperatorError
from riskstream.core.ports import StateLog
from riskstream.core.records import Output, Partition
from riskstream.core.watching import state
from riskstream.core.watching.state import Change, Kept, LaneState


class Loaded(msgspec.Struct, frozen=True):
    """What a partition of the log held: `count` records were read, up to `end`."""

    kept: Kept
    count: int
    end: int


class Memory:
    """One state topic. `partitions` is how many both topics have; `version` that of the records that are written."""

    def __init__(self, log: StateLog, topic: str, partitions: int, version: int) -> None:
        self._log, self.topic, self.partitions, self._version = log, topic, partitions, version

    async def load(self, lane: Partition, known_end: int | None) -> Loaded | None:
        """What was kept of a lane; None where the log still ends at `known_end`. Raises LaneLost, OperatorError."""
        read = await self._log.read(lane.partition, known_end)
        if read is None:
            return None
        kept = state.split(read.records, self.topic)
        if kept.lane is not None and kept.lane.partitions != self.partitions:
            raise self._other_partitions(lane, kept.lane.partitions)
        return Loaded(kept, read.count, read.end)

    def partition_of(self, lane: Partition) -> Partition:
        """Where a lane keeps its state."""
        return Partition(self.topic, lane.partition)

    def outputs(self, lane: Partition, changes: tuple[Change, ...], offset: int) -> tuple[Output, ...]:
        """The records of what changed, by the input at `offset`."""
        topic, number, version = self.topic, lane.partition, self._version
        records = [state.encode(change, offset, version) for change in changes]
        return tuple([Output(topic, key, value, (), number) for key, value in records])

    def lane_output(self, lane: Partition, now: LaneState, offset: int) -> Output:
        """The record of the lane itself: one in each transaction."""
        key, value = state.encode_lane(now, offset, self._version)
        return Output(self.topic, key, value, (), lane.partition)

    def _other_partitions(self, lane: Partition, before: int) -> OperatorError:
        return OperatorError(
            "partitions of " + lane.topic,
            self.partitions,
            f"the state in {self.topic!r} was written when there were {before}, so entities would be looked for in "
            f"partitions that do not hold them",
            f"go back to topics with {before} partitions; or name new topics in topics.signals and topics.state, "
            f"run `riskstream topics create`, and start without memory",
        )
