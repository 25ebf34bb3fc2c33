"""What a daemon found wrong with what it stands on: its topics, its source, its lanes, its model."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from riskstream.core.gaps import GapReason


class GapsSeen(msgspec.Struct, frozen=True):
    """All gaps of a topic that one stage of this daemon stands before now, as reason → partitions."""

    stage: str
    topic: str
    counts: Mapping[GapReason, int]


Watchdog = GapsSeen
