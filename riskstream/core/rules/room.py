"""How many alerts a rule may open in a lane within a minute, and when there is room for one more.

    ──f──f────f──(─f───f──────)──►        at `max` firings within the last minute there is no room
                 └── 60 s ────┘ now       until the oldest of them is a minute old

Per lane, because a lane decides alone: with many lanes the whole may open that many times as many.
"""

from __future__ import annotations

from collections import deque

MINUTE_MS = 60_000


class Room:
    """The firings of one rule in one lane within the last minute. `per_minute_max` None: no limit, and no memory."""

    __slots__ = ("_fired", "per_minute_max")

    def __init__(self, per_minute_max: int | None) -> None:
        self.per_minute_max = per_minute_max
        self._fired: deque[int] = deque()

    def take(self, now_ms: int) -> bool:
        """Take a place if there is one."""
        if self.per_minute_max is None:
            return True
        while self._fired and self._fired[0] <= now_ms - MINUTE_MS:
            self._fired.popleft()
        if len(self._fired) >= self.per_minute_max:
            return False
        self._fired.append(now_ms)
        return True

    def free_ms(self) -> int | None:
        """When the next place becomes free; None where nobody holds one."""
        return self._fired[0] + MINUTE_MS if self._fired else None

    def save(self) -> tuple[int, ...]:
        """What must be kept: the times of the firings."""
        return tuple(self._fired)

    def restore(self, fired: tuple[int, ...]) -> None:
        """Go on from what was kept."""
        if self.per_minute_max is not None:
            self._fired = deque(fired[-self.per_minute_max :])
