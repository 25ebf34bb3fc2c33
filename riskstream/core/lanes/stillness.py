"""Whether something that should move has stood still for too long.

    see(mark, due) ─► the mark changed, or nothing is due ─► the clock begins anew
                   └► the same mark, something is due ─► still, for as long as that is so

Rule 1. Standing still is wrong only while there is work: a lane without records and a topic without news are at rest.
"""

from __future__ import annotations


class Stillness:
    """Watches one thing. The caller tells the time, in milliseconds that never go back."""

    def __init__(self, ms_max: int) -> None:
        self.ms_max = ms_max
        self._mark: int | None = None
        self._since_ms: int | None = None

    def see(self, mark: int, *, due: bool, now_ms: int) -> bool:
        """Whether it has stood at this mark for `ms_max`, with work due at each look since."""
        if not due or mark != self._mark or self._since_ms is None:
            self._mark, self._since_ms = mark, now_ms if due else None
            return False
        return now_ms - self._since_ms >= self.ms_max
