"""What all commands share: the settings file, the event loop, where data goes."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
import uvloop

from riskstream.concealed import conceal
from riskstream.core.errors import OperatorError
from riskstream.settings import Settings, load

STDERR = 2
CONFIG = click.option("--config", "config", type=click.Path(path_type=Path), help="The settings file.")


COLLECTOR = (50_000, 20, 100)
"""How often Python looks for cycles. What a daemon holds lives for hours and has none: at Python's own numbers
(700, 10, 10) a fifth of the watch stage's time went into looking."""


def run_async(work: Coroutine[Any, Any, int | None]) -> int:
    """Run a coroutine on uvloop."""
    gc.set_threshold(*COLLECTOR)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work) or 0


@asynccontextmanager
async def guarded_loop(seconds_max: float) -> AsyncIterator[None]:
    """Should the event loop be blocked for longer, show where each thread stands and end the process with code 1."""

    async def beat() -> None:
        while True:
            faulthandler.dump_traceback_later(seconds_max, exit=True, file=STDERR)
            await asyncio.sleep(seconds_max / 8)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        faulthandler.cancel_dump_traceback_later()


def stdout() -> BinaryIO:
    """Where data goes. Raises OperatorError where it is closed."""
    if sys.stdout is None:
        raise OperatorError("stdout", None, "is closed", "let it go to a file or a pipe")
    return sys.stdout.buffer


def read_settings(config: Path | None) -> Settings:
    """The settings, with the log set up as they say."""
    from riskstream.telemetry.logs import configure_logging

    settings = load(config)
    configure_logging(settings.log.level, {"auto": None, "json": True, "console": False}[settings.log.format], conceal)
    return settings
