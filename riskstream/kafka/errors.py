"""The one error that belongs to the broker's room alone, so that a service can tell which lane it stops."""

from __future__ import annotations

from riskstream.core.errors import OperatorError
from riskstream.core.records import Partition


class OffsetGone(OperatorError):
    """The broker does not hold the offset at which a partition is to be read. That partition is paused; others go on.

    `partition` and `offset` say where. Nothing is promised for what Kafka no longer holds.
    """

    def __init__(self, partition: Partition, offset: int) -> None:
        self.partition, self.offset = partition, offset
        super().__init__(
            f"offset of {partition.topic}/{partition.partition}",
            offset,
            "the broker does not hold it: deleted by retention, or the topic was made anew",
            f"move on with `riskstream feeds reset --topic {partition.topic} --partition {partition.partition} --to …`",
        )
