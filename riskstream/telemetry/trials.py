"""What happened to texts under suspicion of ending processes: `service/stages/tasting.py` tells it."""

from __future__ import annotations

import msgspec


class LaneSuspected(msgspec.Struct, frozen=True):
    """A process began work at this lane's offset and did not come back: records below `until` are tried alone."""

    topic: str
    partition: int
    until: int


class TextConvicted(msgspec.Struct, frozen=True):
    """The process that scored this record alone died of it, twice: it becomes a dead letter."""

    topic: str
    partition: int
    offset: int


class TasterFailed(msgspec.Struct, frozen=True):
    """No process could be started to try suspect records in: they go the usual way, and may end this one."""

    detail: str


Trial = LaneSuspected | TextConvicted | TasterFailed
