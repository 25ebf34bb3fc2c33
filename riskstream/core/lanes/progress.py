"""The order of one lane: what was taken, what is answered, what may be committed.

    admit(offset) ──► slot ──fill(result)──► filled ─┐
    admit(offset) ──► slot                           ├─ take(): the filled slots from the front, never past a hole
    admit(offset) ──► slot ──fill(result)──► filled ─┘

Rule 1. Only a complete prefix leaves: a record is committed after all that came before it.
Rule 2. A result for another epoch is dropped, and `fill` says so: its lane was closed and opened again meanwhile.
Rule 3. `in_flight` counts what was admitted and not yet taken; whoever admits keeps it under the lane's limit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from riskstream.core.errors import InternalError
from riskstream.core.records import Partition, Ticket

Result = TypeVar("Result")


class _Slot(Generic[Result]):
    __slots__ = ("filled", "offset", "result")

    def __init__(self, offset: int | None) -> None:
        self.offset = offset
        self.filled = False
        self.result: Result | None = None


class Progress(Generic[Result]):
    """The ordered slots of one lane in one epoch."""

    def __init__(self, lane: Partition, epoch: int) -> None:
        self.lane, self.epoch = lane, epoch
        self._slots: deque[_Slot[Result]] = deque()
        self._first = self._ready = 0
        self._last = -1

    @property
    def in_flight(self) -> int:
        """Records admitted and not yet taken."""
        return len(self._slots)

    @property
    def ready(self) -> int:
        """Filled slots from the front: as many as `take` could give."""
        return self._ready

    def admit(self, offset: int | None) -> Ticket:
        """A slot for the record at `offset`, or for results that no record made (a tick): None. Offsets rise."""
        if offset is not None:
            if offset <= self._last:
                raise InternalError(f"{self.lane}: offset {offset} admitted after {self._last}")
            self._last = offset
        self._slots.append(_Slot(offset))
        return Ticket(self.lane, self.epoch, self._first + len(self._slots) - 1)

    def fill(self, ticket: Ticket, result: Result) -> bool:
        """Put a result into its slot; False where the ticket is of another epoch."""
        if ticket.epoch != self.epoch:
            return False
        index = ticket.sequence - self._first
        if ticket.lane != self.lane or not 0 <= index < len(self._slots) or self._slots[index].filled:
            raise InternalError(f"{self.lane}: {ticket} has no open slot")
        slot = self._slots[index]
        slot.result, slot.filled = result, True
        while self._ready < len(self._slots) and self._slots[self._ready].filled:
            self._ready += 1
        return True

    def take(
        self, records_max: int, *, size: Callable[[Result], int] | None = None, bytes_max: int = 0
    ) -> list[tuple[int | None, Result]]:
        """The (offset, result) of the filled slots from the front: at most `records_max`.

        With `size`, at most `bytes_max` of it in all, but always one.
        """
        taken: list[tuple[int | None, Result]] = []
        weight = 0
        while self._ready and len(taken) < records_max:
            result: Result = self._slots[0].result  # type: ignore[assignment]
            if size is not None:
                weight += size(result)
                if taken and weight > bytes_max:
                    break
            taken.append((self._slots.popleft().offset, result))
            self._first += 1
            self._ready -= 1
        return taken
