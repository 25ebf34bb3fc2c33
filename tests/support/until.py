"""Waiting for a fact that other tasks bring about, without a sleep that guesses how long they take."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

SECONDS_MAX = 30.0


async def until(fact: Callable[[], object]) -> None:
    """Let other tasks run until the fact, a plain one or one to await, holds; TimeoutError after 30 s."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            answer = fact()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(0.001)
