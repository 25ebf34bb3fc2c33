"""`riskstream publish`: a file of documents into a topic, as it was or as if it happened now.

--shift-to-now             the newest line becomes now, the others keep their distance: an archive of the last days
--speed N                  lines go out at N times the pace of their times of publication
--speed N --shift-to-now   both: each line is published, and dated, at the moment when it is sent
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import tee
from pathlib import Path

import click
import msgspec

from riskstream.core.clock import LATEST_MS, arrivals, format_ms, parse_ms
from riskstream.core.errors import OperatorError, UnknownTopic
from riskstream.core.ports import Publisher
from riskstream.core.records import Output
from riskstream.kafka.client import KafkaBroker
from riskstream.service import parts
from riskstream.settings import Settings

GROUP = 500
"""Lines sent together where no pace is asked for."""


class Line(msgspec.Struct, frozen=True):
    """A line to send: its bytes, its time of publication if it has a readable one, and its place in time."""

    value: bytes
    published_ms: int | None
    arrival_ms: int


class Send(msgspec.Struct, frozen=True):
    """Bytes, and how long after the start they go out, in ms."""

    wait_ms: int
    value: bytes


def read_lines(raw: Iterable[bytes]) -> Iterator[Line]:
    """The lines of a file with the arrival that a replay gives each; broken lines are kept as they are."""
    timed = ((line.rstrip(b"\r\n"), _published_ms(line)) for line in raw if line.strip())
    lines, times = tee(timed)
    placed = arrivals(published_ms for _, published_ms in times)
    for (value, published_ms), arrival_ms in zip(lines, placed, strict=True):
        yield Line(value, published_ms, arrival_ms)


def _published_ms(line: bytes) -> int | None:
    try:
        value = msgspec.json.decode(line)
        moment = value.get("published_at") if isinstance(value, dict) else None
        if isinstance(moment, str):
            return parse_ms(moment)
        return int(moment) if isinstance(moment, int | float) and not isinstance(moment, bool) else None
    except (ValueError, OverflowError):
        return None


def shifted(line: Line, by_ms: int) -> bytes:
    """The line with its time of publication moved, and a time of the far future kept within what a feed may say.

    A line without a readable time is left as it is.
    """
    if line.published_ms is None:
        return line.value
    document = msgspec.json.decode(line.value)
    document["published_at"] = format_ms(min(line.published_ms + by_ms, LATEST_MS - 1))
    return msgspec.json.encode(document)


def plan(lines: Iterable[Line], now_ms: int, *, newest_ms: int | None, speed: float | None) -> Iterator[Send]:
    """What to send and when. `newest_ms`, the arrival of the last line, is given where times are shifted to now."""
    first_ms: int | None = None
    for line in lines:
        first_ms = line.arrival_ms if first_ms is None else first_ms
        wait_ms = int((line.arrival_ms - first_ms) / speed) if speed else 0
        if newest_ms is None:
            yield Send(wait_ms, line.value)
        elif speed:
            yield Send(wait_ms, shifted(line, now_ms + wait_ms - line.arrival_ms))
        else:
            yield Send(wait_ms, shifted(line, now_ms - newest_ms))


async def publish(
    publisher: Publisher,
    topic: str,
    planned: Iterable[Send],
) -> int:
    """Send the lines, each no earlier than its wait; the number sent. Lines have no key: partitions take turns."""
    clock = asyncio.get_running_loop().time
    started, sent = clock(), 0
    group: list[Output] = []

    async def flush() -> None:
        nonlocal sent
        await publisher.send(group)
        sent += len(group)
        group.clear()

    for send in planned:
        ahead_s = send.wait_ms / 1000 - (clock() - started)
        if group and (ahead_s > 0 or len(group) >= GROUP):
            await flush()
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        group.append(Output(topic, None, send.value))
    if group:
        await flush()
    return sent


async def publish_file(settings: Settings, file: Path, topic: str, *, shift_to_now: bool, speed: float | None) -> int:
    """The command: send a file's lines to a topic that exists. Raises OperatorError on a wrong file or topic."""
    size = _size(file)
    broker = KafkaBroker(parts.kafka_config(settings.kafka, settings.app))
    try:
        if topic not in await broker.topics():
            raise UnknownTopic("--topic", topic, "is not on the broker", "create it with `riskstream topics create`")
        newest_ms = max((line.arrival_ms for line in _lines_of(file)), default=0) if shift_to_now else None
        publisher = await broker.publisher()
        try:
            with click.progressbar(length=size, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
                lines = _lines_of(file, bar.update)
                now_ms = time.time_ns() // 1_000_000
                sent = await publish(publisher, topic, plan(lines, now_ms, newest_ms=newest_ms, speed=speed))
        finally:
            await publisher.close()
    finally:
        await broker.close()
    click.echo(f"publish: {sent} documents to {topic}", err=True)
    return 0


def _size(file: Path) -> int:
    try:
        with file.open("rb"):
            return file.stat().st_size
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: OSError) -> OperatorError:
    return OperatorError("file", str(file), f"cannot be read: {error.strerror}", "give the path of a JSONL file")


def _lines_of(file: Path, on_bytes: Callable[[int], object] | None = None) -> Iterator[Line]:
    try:
        with file.open("rb") as raw:
            for line in read_lines(raw):
                if on_bytes is not None:
                    on_bytes(len(line.value) + 1)
                yield line
    except OSError as error:
        raise _unreadable(file, error) from None
