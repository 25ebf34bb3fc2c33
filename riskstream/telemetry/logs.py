"""An event becomes a line, and every other library's lines look the same.

    event ── level_of / name_of / fields_of ──► structlog ──┐
    aiokafka, transformers, warnings ── stdlib logging ─────┴──► stderr, as JSON, or coloured on a terminal

Rule 1. ERROR: data was lost or a person must act. WARNING: odd, and recovered. INFO: what the operator did took
        effect, and alerts. DEBUG: everything that comes per batch.
Rule 2. Lines go to stderr: stdout is data.
Rule 3. What a library says again and again is written once a minute (repeats.py).
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from riskstream.core.addresses import without_credentials
from riskstream.telemetry import events as ev
from riskstream.telemetry import trials, watchdogs
from riskstream.telemetry.repeats import Repeats

_TALKATIVE = ("aiokafka", "aiohttp", "asyncio", "transformers", "torch", "fsspec", "urllib3", "httpx", "filelock")
"""Libraries whose INFO is about themselves; they speak from WARNING on, or at the level asked for if that is higher."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def level_of(event: ev.Event) -> int:
    """The stdlib level of an event's line."""
    match event:
        case ev.RequestFailed() | ev.LaneChanged(state="stopped") | ev.SinkFailed(will_retry=False):
            return logging.ERROR
        case ev.LaneFenced() | ev.TransactionLost() | ev.DeadLetterCut() | ev.BatchBisected() | ev.SinkFailed():
            return logging.WARNING
        case trials.TextConvicted() | watchdogs.WatchdogBarked(dog="model"):
            return logging.ERROR
        case trials.LaneSuspected() | trials.TasterFailed() | watchdogs.WatchdogBarked() | watchdogs.StageWaits():
            return logging.WARNING
        case ev.ModelRefused() | ev.ConfigRefused() | ev.ModelLoaded(unchecked=True):
            return logging.WARNING
        case ev.Explanations(failed=failed) if failed:
            return logging.WARNING
        case ev.AlertPublished(state="firing" | "resolved"):
            return logging.INFO
        case ev.LaneChanged(state="ready" | "closed") | ev.LaneRestored() | ev.ModelLoaded() | ev.ConfigLoaded():
            return logging.INFO
        case ev.ServiceStarted() | ev.ServiceStopping() | ev.ServiceStopped() | watchdogs.StageReturned():
            return logging.INFO
        case _:
            return logging.DEBUG


@cache
def _words(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def name_of(event: ev.Event) -> str:
    """The event's name as words: `lane changed`."""
    return _words(type(event).__name__)


def fields_of(event: ev.Event) -> dict[str, object]:
    """What the line carries: the event's fields, shortened where a batch made them long."""
    fields: dict[str, object] = msgspec.structs.asdict(event)
    match event:
        case ev.Committed(end_to_end_ms=samples):
            fields["end_to_end_ms"] = max(samples, default=None)
        case ev.AlertsOpen(counts=counts):
            fields["counts"] = {f"{rule}/{severity}": count for (rule, severity), count in counts.items()}
        case _:
            pass
    return {name: value for name, value in fields.items() if value not in ("", None)}


Names = Mapping[tuple[object, object], Mapping[str, str]]
_NOBODY: Names = {}
_TRACES: ContextVar[Names] = ContextVar("traces", default=_NOBODY)


@contextmanager
def naming(traces: Names) -> Iterator[None]:
    """Lines about these alerts, as (id, sequence), get the ids of their traces while this lasts."""
    token = _TRACES.set(traces)
    try:
        yield
    finally:
        _TRACES.reset(token)


def _trace_ids(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.update(_TRACES.get().get((event.get("alert_id"), event.get("sequence")), {}))
    return event


_SHARED: tuple[Processor, ...] = (
    _trace_ids,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    structlog.stdlib.ExtraAdder(),
    structlog.processors.format_exc_info,
)
"""What our own lines and those of other libraries get before they are written."""


def get_logger() -> FilteringBoundLogger:
    """The logger of riskstream's own events. It goes through stdlib logging, so an embedder's handlers see it too."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        logging.getLogger("riskstream"),
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger


def _one_line(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """On a terminal, nothing that a feed or a broker wrote can move the cursor or begin a line of its own."""
    for name, value in event.items():
        if isinstance(value, str) and name != "trace":
            event[name] = _CONTROL.sub(lambda match: repr(match[0])[1:-1], value)
    return event


def _to_json(fields: dict[str, object], **_options: object) -> str:
    first = {name: fields.pop(name) for name in ("at", "level", "event") if name in fields}
    return msgspec.json.encode({**first, **fields}, enc_hook=repr).decode()


def configure_logging(
    level: str = "info", json: bool | None = None, conceal: Callable[[str], str] = without_credentials
) -> None:
    """Send every line of this process to stderr; `json` None means JSON unless stderr is a terminal. For `main`.

    `conceal` takes out of a line what nobody may read."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    as_json = not sys.stderr.isatty() if json is None else json
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    last += (
        [structlog.processors.JSONRenderer(_to_json)]
        if as_json
        else [_one_line, structlog.dev.ConsoleRenderer(timestamp_key="at")]
    )
    last.append(lambda _logger, _method, line: conceal(str(line)))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_SHARED, processors=last))
    handler.addFilter(Repeats(_TALKATIVE))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(True)
    threading.excepthook = _thread_ended


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    """What a library's thread dies of is a line like any other; Python would print it past `conceal`."""
    if args.exc_value is not None and args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else "?"
        told = (args.exc_type, args.exc_value, args.exc_traceback)
        logging.getLogger("riskstream").error("the thread %s has ended", name, exc_info=told)
