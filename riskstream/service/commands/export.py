"""`riskstream export`: what is committed in a topic between two append times, as lines for `publish` and `replay`.

    topic ─ offsets at --from, at --to ─► committed records in between ─► one compact JSON line each ─► stdout

Rule 1. A signal's line carries `appended_at`, the time that the watch stage saw, so that `replay --signals` gives the
        alerts that there were.
Rule 2. Partitions are read side by side; lines come by append time where that can be told: within `REORDER` records.
Rule 3. A value that is no JSON has no line. It is counted, and the first one is named.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from heapq import heappop, heappush
from typing import BinaryIO

import click
import msgspec

from riskstream.core.clock import format_ms, parse_ms
from riskstream.core.errors import OperatorError, UnknownTopic
from riskstream.core.ports import Broker
from riskstream.core.records import Message
from riskstream.kafka.client import KafkaBroker
from riskstream.service import parts
from riskstream.settings import Settings

REORDER = 20_000
"""Records held back to bring the partitions into one order; some 20 MB of signals."""


class Exported(msgspec.Struct):
    """What an export met."""

    lines: int = 0
    unreadable: int = 0
    first_unreadable: str = ""


async def export_topic(settings: Settings, topic: str, first: str, last: str | None, out: BinaryIO) -> int:
    """The command. Raises OperatorError for a topic that is not there or a time that is none."""
    from_ms = _time("--from", first)
    to_ms = _time("--to", last) if last else time.time_ns() // 1_000_000
    if to_ms <= from_ms:
        raise OperatorError("--to", last or "now", "is not after --from", "give a later time")
    broker = KafkaBroker(parts.kafka_config(settings.kafka, settings.app))
    try:
        if topic not in await broker.topics():
            raise UnknownTopic("--topic", topic, "is not on the broker", "see `riskstream topics show`")
        with click.progressbar(length=1, label=topic, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
            done = Exported()
            async for message, length in between(broker, topic, from_ms, to_ms):
                bar.length = length
                bar.update(1)
                if (line := line_of(message, signals=topic == settings.topics.signals)) is not None:
                    out.write(line)
                    done.lines += 1
                else:
                    done.unreadable += 1
                    done.first_unreadable = done.first_unreadable or f"{message.position}"
    finally:
        await broker.close()
    out.flush()
    click.echo(f"export: {done.lines} records of {topic}", err=True)
    if done.unreadable:
        where = f"the first at {done.first_unreadable}"
        click.echo(f"export: {done.unreadable} records without a JSON object are left out, {where}", err=True)
    return 0


async def between(broker: Broker, topic: str, from_ms: int, to_ms: int) -> AsyncIterator[tuple[Message, int]]:
    """The committed records of a time, the older first, each with how many offsets there are to read in all."""
    reader = broker.reader(topic)
    begins, ends = await reader.offsets_at(from_ms), await reader.offsets_at(to_ms)
    wanted = {partition: begin for partition, begin in begins.items() if begin < ends[partition]}
    length = sum(ends[partition] - begin for partition, begin in wanted.items())
    waiting: list[tuple[int, int, int, Message]] = []
    if not wanted:
        return
    async for message in reader.read(wanted):
        place = message.position
        if place.offset < ends[place.partition] and from_ms <= message.timestamp_ms < to_ms:
            heappush(waiting, (message.timestamp_ms, place.partition, place.offset, message))
            if len(waiting) > REORDER:
                yield heappop(waiting)[-1], length
    while waiting:
        yield heappop(waiting)[-1], length


def line_of(message: Message, *, signals: bool) -> bytes | None:
    """A record's line; None where its value is no JSON object."""
    try:
        value = msgspec.json.decode(message.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(value, dict):
        return None
    if signals:
        value["appended_at"] = format_ms(message.timestamp_ms)
    return msgspec.json.encode(value) + b"\n"


def _time(option: str, text: str) -> int:
    try:
        return parse_ms(text)
    except ValueError:
        fix = "write it like 2026-03-09 or 2026-03-09T06:30:00Z"
        raise OperatorError(option, text, "is not a time", fix) from None
