"""An event loop on a virtual clock, whose tasks belong to processes that can be paused and killed.

    something is ready ─► run it            nothing is ready ─► the clock jumps to the next timer

Rule 1. Nothing waits: an hour of a schedule takes as long as its work. The same schedule runs the same way each time.
Rule 2. A task belongs to the process in whose context it was made. What is due for a paused process waits for it; what
        is due for a dead one is never run, `finally` blocks included. That is what SIGSTOP and SIGKILL do.
Rule 3. A thread pool's work is done at once, and its answer comes after the time that the process's `work_s` says.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from asyncio import Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar
from typing import Any


class ProcessDies(BaseException):
    """Raised by work in a thread pool that would end the process."""


class Process:
    """One process of the schedule."""

    def __init__(self, name: str, work_s: Callable[[], float]) -> None:
        self.name, self.work_s = name, work_s
        self.alive, self.paused = True, False
        self.on_death: Callable[[], None] = lambda: None
        self._kept: list[Handle] = []

    def keep(self, handle: Handle) -> None:
        """Something is due while it stands still."""
        self._kept.append(handle)

    def release(self) -> list[Handle]:
        """What was kept."""
        kept, self._kept = self._kept, []
        return kept


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class Stuck(Exception):
    """Nothing is ready and no timer runs: the schedule can never go on."""


class VirtualLoop(asyncio.BaseEventLoop):
    """See above. Only what the stages use is there: no sockets, no subprocesses, no threads."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._due: deque[Handle] = deque()
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Handle:  # type: ignore[override]
        """As asyncio's."""
        handle = Handle(callback, args, self, context)
        self._due.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """As asyncio's."""
        timer = TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def pause(self, process: Process) -> None:
        """SIGSTOP."""
        process.paused = True

    def resume(self, process: Process) -> None:
        """SIGCONT."""
        process.paused = False
        self._due.extend(process.release())

    def kill(self, process: Process) -> None:
        """SIGKILL."""
        if process.alive:
            process.alive = False
            process.on_death()

    def bury(self, processes: Iterable[Process]) -> None:
        """After the end: whatever was left standing is cancelled and unwinds, so that nothing is collected half-way."""
        for process in processes:
            process.alive = True
            self.resume(process)
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.wait(tasks, timeout=600))
        self.close()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """The work is done here and now; its answer comes later."""
        process, answer = PROCESS.get(), self.create_future()
        try:
            result, error = func(*args), None
        except ProcessDies:
            assert process is not None
            self.kill(process)
            return answer
        except Exception as raised:
            result, error = None, raised

        def settle() -> None:
            if not answer.done():
                answer.set_exception(error) if error else answer.set_result(result)

        self.call_later(process.work_s() if process else 0.0, settle)
        return answer

    async def create_server(self, *_: Any, **__: Any) -> Any:
        """A port that nobody reaches."""
        return _Server()

    def _run_once(self) -> None:
        if not self._due:
            self._jump()
        for _ in range(len(self._due)):
            handle = self._due.popleft()
            process = handle._context.get(PROCESS)  # type: ignore[attr-defined]
            if handle.cancelled():
                continue
            if process is None or (process.alive and not process.paused):
                handle._run()
            else:
                process.keep(handle)

    def _jump(self) -> None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            raise Stuck
        self._now = max(self._now, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._now:
            self._due.append(heapq.heappop(self._timers)[2])

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """Cancelled timers are passed over when they come up."""

    def _process_events(self, event_list: Any) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """There are no other threads."""


class _Socket:
    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 1)


class _Server:
    sockets = (_Socket(),)

    def close(self) -> None:
        """Nothing to close."""

    async def wait_closed(self) -> None:
        """Nothing to wait for."""
