"""When a source is heard: at most one heartbeat for each (partition of a feed, source) within `every_ms`.

Without them the silence of a source that only writes about people whom nobody watches could not be told from its end.
"""

from __future__ import annotations

from riskstream.core.records import Partition

SOURCES_MAX = 10_000
"""So many are remembered, about 2 MB; beyond that the one not heard for longest beats again when it comes."""


class Heartbeats:
    """When each source was last told of."""

    def __init__(self, every_ms: int) -> None:
        self._every_ms = every_ms
        self._told: dict[tuple[Partition, str], int] = {}

    def beat(self, lane: Partition, source: str, now_ms: int) -> bool:
        """A document of this source comes; whether to tell of it."""
        key = (lane, source)
        told_ms = self._told.get(key)
        if told_ms is not None and now_ms - told_ms < self._every_ms:
            return False
        self._told.pop(key, None)
        self._told[key] = now_ms
        if len(self._told) > SOURCES_MAX:
            del self._told[next(iter(self._told))]
        return True
