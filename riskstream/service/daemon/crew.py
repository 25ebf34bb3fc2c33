"""Who works in a daemon: stages, which are told to stop and drain, and helpers, which are let go when they have.

works(stage) ─► runs until `stop`, drains ─┐
helps(task) ──► runs ──────────────────────┴─► rest(): cancelled
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from riskstream.service.stages.stage import Stage


class Crew:
    """The tasks of one daemon. Any of them may set others to work."""

    def __init__(self, tasks: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        self._tasks, self._stop = tasks, stop
        self._helping: list[asyncio.Task[None]] = []
        self._working: list[asyncio.Task[None]] = []

    def helps(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this until the end."""
        self._helping.append(self._tasks.create_task(work))

    def works(self, stage: Stage) -> None:
        """Run this until `stop`, and let it drain."""
        self._working.append(self._tasks.create_task(stage.run(self._stop)))

    async def rest(self) -> None:
        """All stages have drained, and nobody helps any more."""
        await asyncio.gather(*self._working)
        for helper in self._helping:
            helper.cancel()
