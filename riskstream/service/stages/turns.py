"""How many lanes commit at the same time: where a process has many, each gathers more while it waits for its turn.

    lane ─► its results are ready ─► waits for a turn, first come, first served ─► commits what it has by then ─► next

A transaction costs client and broker about as much with one record as with a hundred: five requests, and as many
writes to the broker's own logs. A hundred lanes that each commit every 100 ms spend all their time on that.

Rule 1. A commit that takes longer than `patience_s` gives its turn away: the broker that it waits for may be gone, and
        lanes of other brokers must not wait with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PATIENCE_S = 0.5
"""Fifty times what a commit takes."""


class Turns:
    """The turns of one stage's lanes, `at_once_max` of them."""

    def __init__(self, at_once_max: int, patience_s: float = PATIENCE_S) -> None:
        self._free, self._patience_s = asyncio.Semaphore(at_once_max), patience_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one, and give it back in the end, or once the patience is over."""
        await self._free.acquire()
        held = [self._free]

        def give_back() -> None:
            if held:
                held.pop().release()

        late = asyncio.get_running_loop().call_later(self._patience_s, give_back)
        try:
            yield
        finally:
            late.cancel()
            give_back()
