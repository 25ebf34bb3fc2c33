"""What a cell remembers beside its windows, as values: they are kept in the state log as they are."""

from __future__ import annotations

import msgspec

from riskstream.core.clock import format_ms
from riskstream.core.records import Alert, AlertReason, Life, Severity
from riskstream.core.rules.held import HeldReason
from riskstream.core.rules.life import IDLE
from riskstream.core.rules.shapes import Memory


class Cause(msgspec.Struct, frozen=True, gc=False):
    """What made us judge: a signal and its event time, or a tick and its time."""

    id: str
    event_ms: int

    @classmethod
    def tick(cls, now_ms: int) -> Cause:
        """The clock itself."""
        return cls("tick", now_ms)


class Open(msgspec.Struct, frozen=True, gc=False):
    """The open alert: its last record, when that was made, and since when its value is below its severity."""

    alert: Alert
    published_ms: int
    low_since_ms: int | None = None


class Told(msgspec.Struct, frozen=True, gc=False):
    """What the readers of the open alert know: the last sequence number and severity, and whether that is all."""

    sequence: int
    severity: Severity
    current: bool = True


NOT_OPENED = Cause("", 0)


class CellState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All of a cell that does not follow from its subject's documents, under this version of its rule."""

    rule_version: str = ""
    life: Life = IDLE
    opening: Cause = NOT_OPENED
    opening_ms: int = 0
    open: Open | None = None
    told: Told | None = None
    held: HeldReason | None = None
    memory: Memory | None = None


def ended(state: CellState, reason: AlertReason, now_ms: int) -> Alert | None:
    """The last record of an alert whose rule is no longer there to judge it; None where none was told."""
    if state.open is None or state.told is None:
        return None
    last = state.open.alert
    why = reason.replace("_", " ")
    return msgspec.structs.replace(
        last,
        sequence=state.told.sequence + 1,
        state="resolved",
        severity=state.told.severity,
        reason=reason,
        updated_at=format_ms(now_ms),
        ends_at=format_ms(now_ms),
        why=why,
        summary=f"{last.subject.name}: resolved ({why}). Last told: {last.value:g} (limit {last.limit:g}).",
    )
