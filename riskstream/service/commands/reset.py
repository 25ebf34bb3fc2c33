"""`riskstream feeds reset`: moves a group to another offset, where a person has decided that it goes on there.

    --to earliest | latest | TIME | OFFSET ─► an offset of each partition ─► what that skips is told ─► committed

Rule 1. Nothing is moved under a running daemon: a group with members is refused.
Rule 2. Each partition is moved by opening its lane. That fences a process that was paused and would commit when it
        wakes, and the offset goes in by a transaction, as every other does.
Rule 3. What is skipped or read again is told before it is done; `--dry-run` does no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click
import msgspec

from riskstream.core import gaps
from riskstream.core.clock import parse_ms
from riskstream.core.errors import OperatorError, UnknownTopic
from riskstream.core.gaps import Bounds
from riskstream.core.ports import Broker
from riskstream.core.records import Partition
from riskstream.kafka.client import KafkaBroker
from riskstream.service import parts
from riskstream.settings import Settings

Say = Callable[[str], None]


class Where(msgspec.Struct, frozen=True):
    """What was asked for: `partition` None means all of the topic."""

    topic: str
    partition: int | None
    to: str


async def reset_feed(settings: Settings, where: Where, *, dry_run: bool) -> int:
    """The command, on the broker of the settings."""
    broker = KafkaBroker(parts.kafka_config(settings.kafka, settings.app))
    try:
        await reset(broker, settings, where, dry_run=dry_run, say=click.echo)
    finally:
        await broker.close()
    return 0


async def reset(broker: Broker, settings: Settings, where: Where, *, dry_run: bool, say: Say) -> None:
    """Move the group that reads this topic. Raises OperatorError where it may not be, or the place is none."""
    stage = _stage_of(settings, where.topic)
    group = f"{settings.app}.{stage}"
    topic_id = (await broker.topic_ids([where.topic])).get(where.topic)
    if topic_id is None:
        raise UnknownTopic("--topic", where.topic, "is not on the broker", "create it with `riskstream topics create`")
    if count := await broker.members(group):
        problem = f"its group {group!r} has {count} members now, who would go on where they are"
        raise OperatorError("--topic", where.topic, problem, "stop every daemon that reads it first")
    bounds = await broker.reader(where.topic).bounds()
    for number, target in (await _targets(broker, where, bounds)).items():
        partition = Partition(where.topic, number)
        lane = broker.lane(partition, group, f"{group}.{where.topic}.{number}")
        try:
            resume = await lane.open()
            say(_told(partition, resume.offset if resume else None, target, bounds[number], dry_run=dry_run))
            if not dry_run:
                await lane.commit([], target, gaps.kept(topic_id))
        finally:
            await lane.close()


def _stage_of(settings: Settings, topic: str) -> str:
    ours = {settings.topics.signals: "watch", settings.topics.rollups: "rollups"}
    stages = {**dict.fromkeys((feed.topic for feed in settings.feed), "score"), **ours}
    if topic not in stages:
        raise OperatorError("--topic", topic, "no group of the settings reads it", f"name one of: {', '.join(stages)}")
    return stages[topic]


async def _targets(broker: Broker, where: Where, bounds: Mapping[int, Bounds]) -> dict[int, int]:
    """The offset of each partition that is to be moved."""
    if where.partition is not None and where.partition not in bounds:
        problem = f"topic {where.topic!r} has partitions 0 to {len(bounds) - 1}"
        raise OperatorError("--partition", where.partition, problem, "name one of these, or none for all")
    chosen = {n: there for n, there in sorted(bounds.items()) if where.partition in (None, n)}
    match where.to:
        case "earliest":
            return {number: there.begin for number, there in chosen.items()}
        case "latest":
            return {number: there.end for number, there in chosen.items()}
        case offset if offset.isascii() and offset.isdigit():
            return {
                number: _within(Partition(where.topic, number), int(offset), there) for number, there in chosen.items()
            }
        case time:
            found = await broker.reader(where.topic).offsets_at(_ms(time))
            return {number: found[number] for number in chosen}


def _within(partition: Partition, offset: int, there: Bounds) -> int:
    if not there.begin <= offset <= there.end:
        problem = f"{partition.topic}/{partition.partition} holds {there.begin} to {there.end}"
        raise OperatorError("--to", offset, problem, "give an offset of these, and --partition where they differ")
    return offset


def _ms(time: str) -> int:
    try:
        return parse_ms(time)
    except ValueError:
        fix = "write earliest, latest, an offset or an ISO 8601 time"
        raise OperatorError("--to", time, "is no place in a topic", fix) from None


def _told(partition: Partition, before: int | None, target: int, there: Bounds, *, dry_run: bool) -> str:
    """One line a partition: from where to where, and what comes of it."""
    at = f"{partition.topic}/{partition.partition}: "
    moved = "would go on" if dry_run else "goes on"
    if before is None:
        return f"{at}{moved} at {target} of {there.begin} to {there.end}; nothing was committed before"
    held = min(max(before, there.begin), there.end)
    skipped, again = max(0, target - held), max(0, held - target)
    told = [f"{at}{moved} at {target} instead of {before}"]
    if before < there.begin:
        told.append(f"{there.begin - before} offsets before {there.begin} are gone already")
    if before > there.end:
        told.append(f"the partition ends at {there.end}")
    if skipped:
        told.append(f"{skipped} offsets are skipped and never read")
    if again:
        told.append(f"{again} offsets are read again")
    return "; ".join(told)
