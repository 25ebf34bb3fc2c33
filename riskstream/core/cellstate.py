"""What a cell remembers beside its windows, as values: they are kept in the state log as they are."""

from __future__ import annotations

import msgspec

from riskstream.core.held import HeldReason
from riskstream.core.life import IDLE
from riskstream.core.records import Alert, Life, Severity
from riskstream.core.shapes import Memory


class Cause(msgspec.Struct, frozen=True):
    """What made us judge: a signal and its event time, or a tick and its time."""

    id: str
    event_ms: int

    @classmethod
    def tick(cls, now_ms: int) -> Cause:
        """The clock itself."""
        return cls("tick", now_ms)


class Open(msgspec.Struct, frozen=True):
    """The open alert: its last record, when that was made, and since when its value is below its severity."""

    alert: Alert
    published_ms: int
    low_since_ms: int | None = None


class Told(msgspec.Struct, frozen=True):
    """What the readers of the open alert know: the last sequence number and severity, and whether that is all."""

    sequence: int
    severity: Severity
    current: bool = True


NOT_OPENED = Cause("", 0)


class CellState(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of a cell that does not follow from the documents that its subject remembers."""

    life: Life = IDLE
    opening: Cause = NOT_OPENED
    opening_ms: int = 0
    open: Open | None = None
    told: Told | None = None
    held: HeldReason | None = None
    memory: Memory | None = None
