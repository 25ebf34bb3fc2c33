"""When a lane's results leave: they wait for company, but not long, and not at all once there is enough.

    first result ──────────── wait_s ──────────────► due          a full transaction, or what a person
          └── an urgent one ── URGENT_S ─► due                     waits for, is due sooner
    what came while the last transaction was on its way has waited already: it is due `wait_s` after it came

Rule 1. The wait counts from the first result that is ready, not from the end of the transaction before it.
Rule 2. What the last transaction had no room for is due at once.
"""

from __future__ import annotations

URGENT_S = 0.02
"""An alert that has just fired leaves after so long. A flood of them shares its transactions all the same: what comes
while one is on its way, 10 to 50 ms, goes out with the next."""


class Company:
    """The due time of one lane's next transaction. `due_s` is None while nothing is ready."""

    def __init__(self, wait_s: float, records_max: int) -> None:
        self._wait_s, self._records_max = wait_s, records_max
        self.due_s: float | None = None

    def came(self, ready: int, now_s: float, *, urgent: bool = False) -> bool:
        """A result came, and `ready` are; whether what waits is due sooner than it was."""
        before = self.due_s
        wait_s = 0.0 if ready >= self._records_max else min(self._wait_s, URGENT_S) if urgent else self._wait_s
        if before is None or now_s + wait_s < before:
            self.due_s = now_s + wait_s
        return before is None or self.due_s != before

    def left(self, ready: int, now_s: float) -> None:
        """A transaction was taken, and had no room for so many."""
        self.due_s = now_s if ready else None
