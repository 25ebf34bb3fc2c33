"""The process that suspect messages are scored in: the same preparing and the same model, in a child that may die.

    daemon ── messages ──► child (spawned at the first suspects, its model loaded once, ended when none are left)
           ◄── "lived" ──     or the pipe's end: it died

Rule 1. The child ends with its parent, however that ends: it reads from a pipe that breaks then.
Rule 2. The event loop waits on a thread of its own; ending the child ends the wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from riskstream.core.errors import RiskstreamError
from riskstream.core.ports import Scorer
from riskstream.core.records import Encoded, Message, Partition, Ticket
from riskstream.service import parts
from riskstream.service.stages import files
from riskstream.settings import Settings
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.trials import TasterFailed

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

START_S_MAX = 300.0
"""Loading a large model from a cold disk."""
TASTE_S_MAX = 120.0
"""No text takes so long; one that does would hold the model of the daemon for as long."""
LIVED, FAILED = b"lived", b"failed"
Score = Callable[[Sequence[Message]], None]


def score_as_daemon(settings: Settings, scorer: Scorer | None = None) -> Score:
    """What the daemon would do with messages, without an outcome: only whether it can be done matters."""
    inputs = files.read_inputs(settings)
    model = scorer or parts.load_scorer(settings.models)
    preparer = inputs.preparer(model, settings.watch.entities_per_document_max, parts.window_limits(settings.scoring))
    ticket = Ticket(Partition("", 0), 0, 0)

    def score(messages: Sequence[Message]) -> None:
        for prepared in preparer.prepare(messages):
            with suppress(Exception):  # what a process survives is the usual way's to tell
                model.score([Encoded(ticket, index, tokens) for index, tokens in enumerate(prepared.tokens)])

    return score


class ChildTaster:
    """A `Taster` over a spawned process. `load` is pickled, and called in it: it gives what scores messages."""

    def __init__(self, load: Callable[[], Score], *, telemetry: Telemetry) -> None:
        self._load, self._telemetry = load, telemetry
        self._child: SpawnProcess | None = None
        self._pipe: Connection | None = None

    async def survives(self, messages: Sequence[Message]) -> bool:
        """False where the child died over these messages or did not answer in time."""
        try:
            if self._pipe is None:
                self._pipe = await asyncio.to_thread(self._start)
        except Exception as error:
            self._telemetry.emit(TasterFailed(repr(error)[:200]))
            await self.close()
            return True
        lived = await asyncio.to_thread(_ask, self._pipe, messages)
        if not lived:
            await self.close()
        return lived

    async def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        pipe, self._pipe = self._pipe, None
        if child is not None:
            child.kill()
            await asyncio.to_thread(child.join)
        if pipe is not None:
            pipe.close()

    def _start(self) -> Connection:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self._child = context.Process(target=_serve, args=(theirs, self._load), name="riskstream-taster", daemon=True)
        self._child.start()
        theirs.close()
        if not ours.poll(START_S_MAX):
            raise TimeoutError(f"it did not start in {START_S_MAX:g} s")
        try:
            answer = ours.recv_bytes()
        except EOFError:
            raise ChildProcessError("it ended while it loaded the model") from None
        if answer != LIVED:
            raise ChildProcessError(answer.decode(errors="replace"))
        return ours


def _ask(pipe: Connection, messages: Sequence[Message]) -> bool:
    try:
        pipe.send(list(messages))
        return pipe.poll(TASTE_S_MAX) and pipe.recv_bytes() == LIVED
    except (EOFError, OSError):
        return False


def _serve(pipe: Connection, load: Callable[[], Score]) -> None:
    """The child."""
    try:
        score = load()
    except (RiskstreamError, Exception) as error:
        pipe.send_bytes(str(error).encode() or FAILED)
        return
    pipe.send_bytes(LIVED)
    with suppress(EOFError, OSError):  # the parent has gone, or needs us no more
        while True:
            score(pipe.recv())
            pipe.send_bytes(LIVED)
