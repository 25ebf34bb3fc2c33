"""Waiting for a fact that other tasks bring about, without a sleep that guesses how long they take."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

SECONDS_MAX = 30.0


async def until(fact: Callable[[], object], seconds_max: float = SECONDS_MAX, look_s: float = 0.001) -> None:
    """Let other tasks run until the fact, a plain one or one to await, holds; TimeoutError after so long."""
    async with asyncio.timeout(seconds_max):
        while True:
            answer = fact()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(look_s)
