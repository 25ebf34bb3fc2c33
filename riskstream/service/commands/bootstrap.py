"""`riskstream bootstrap --from TIME`: rules that look back learn from kept signals what they missed.

    signals since --from, up to where the watch stage stands ─► an engine a lane ─► what its rules know ─► the state log

Rule 1. Nothing is done beside a running stage: a group with members is refused, and every lane is opened, which fences
        a process that was paused.
Rule 2. The offset of a lane stays where it is, and goes in with each transaction, as everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import click

from riskstream.core.clock import format_ms, parse_ms
from riskstream.core.errors import OperatorError
from riskstream.core.ports import Broker, Lane, Resume
from riskstream.core.records import Message, Partition, Rejected
from riskstream.core.watching import bootstrap, codec
from riskstream.core.watching.watch import Watch, WatchLimits
from riskstream.kafka.client import KafkaBroker
from riskstream.service import parts
from riskstream.service.daemon.app import ROLLUPS
from riskstream.service.daemon.starting import check_topics
from riskstream.service.stages import files
from riskstream.service.stages.memory import Memory
from riskstream.settings import Settings

RECORDS_MAX = 2_000
"""Records of one transaction."""
Say = Callable[[str], None]


class Stage(NamedTuple):
    """One half of the watch stage: its group, what it reads, where it remembers."""

    name: str
    topic: str
    kept: str


async def bootstrap_watch(settings: Settings, first: str) -> int:
    """The command, on the broker of the settings."""
    try:
        from_ms = parse_ms(first)
    except ValueError:
        raise OperatorError("--from", first, "is no time", "write an ISO 8601 time, such as 2026-03-01") from None
    broker = KafkaBroker(parts.kafka_config(settings.kafka, settings.app))
    try:
        await learn(broker, settings, from_ms, say=lambda line: click.echo(line, err=True))
    finally:
        await broker.close()
    return 0


async def learn(broker: Broker, settings: Settings, from_ms: int, *, say: Say) -> None:
    """Let every lane learn from what was kept since. Raises OperatorError where that may not be."""
    inputs, topics = files.read_inputs(settings), settings.topics
    rules = bootstrap.looking_back(inputs.rules)
    if not rules.rules:
        fix = "add a rule whose shape is `spike` or `new`"
        raise OperatorError("watch.rules", str(settings.watch.rules), "has no rule that looks back", fix)
    counts = await check_topics(broker, settings, ("watch",), rollups=inputs.rules.rolls_up)
    stages = [Stage("watch", topics.signals, topics.state)]
    if any(rule.condition.by != "entity" for rule in rules.rules):
        stages.append(Stage(ROLLUPS, topics.rollups, topics.rollups_state))
    for stage in stages:
        group = f"{settings.app}.{stage.name}"
        if count := await broker.members(group):
            problem = f"its group {group!r} has {count} members now"
            raise OperatorError("the watch stage", stage.name, problem, "stop every daemon that runs it first")
    for stage in stages:
        memory = Memory(broker.state(stage.kept), stage.kept, counts[stage.kept], settings.state.write_version)
        limits = WatchLimits(events_max=settings.state.documents_max, subjects_max=settings.state.subjects_max)
        engines = [
            Watch(rules, inputs.watchlist, limits=limits, rollups=stage.name == ROLLUPS)
            for _ in range(counts[stage.kept])
        ]
        await _Bootstrap(broker, settings.app, stage, memory, engines, say).run(from_ms)


class _Bootstrap:
    """One stage learns: each lane is opened, then all signals are read once, then each lane is written."""

    def __init__(self, broker: Broker, app: str, stage: Stage, memory: Memory, engines: list[Watch], say: Say) -> None:
        self._broker, self._stage, self._memory, self._engines, self._say = broker, stage, memory, engines, say
        self._group = f"{app}.{stage.name}"

    async def run(self, from_ms: int) -> None:
        """Learn from what was kept since."""
        lanes = {Partition(self._stage.topic, number): self._lane(number) for number in range(len(self._engines))}
        try:
            stands = {lane: await opened.open() for lane, opened in lanes.items()}
            if not any(stands.values()):
                problem = f"its group {self._group!r} never committed"
                fix = "start it: it begins at the earliest signal that is kept, and learns by itself"
                raise OperatorError("the watch stage", self._stage.name, problem, fix)
            read = await self._read(from_ms, {lane.partition: at.offset for lane, at in stands.items() if at})
            known = 0
            for lane, at in stands.items():
                if at is not None:
                    known += await self._write(lane, lanes[lane], at)
        finally:
            for opened in lanes.values():
                await opened.close()
        self._say(
            f"bootstrap: {self._stage.name}: {read} signals since {format_ms(from_ms)} taught {known} pairs of a rule "
            "and a subject"
        )

    def _lane(self, number: int) -> Lane:
        partition = Partition(self._stage.topic, number)
        return self._broker.lane(partition, self._group, f"{self._group}.{self._stage.topic}.{number}")

    async def _read(self, from_ms: int, ends: dict[int, int]) -> int:
        """Let the engines see the signals below these offsets; how many there were."""
        reader, count = self._broker.reader(self._stage.topic), 0
        begins = await reader.offsets_at(from_ms)
        total = sum(max(0, end - begins.get(number, 0)) for number, end in ends.items())
        with click.progressbar(
            length=total, label=self._stage.topic, file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            async for message in reader.read(begins):
                number = message.position.partition
                if message.position.offset < ends.get(number, 0):
                    count += _see(self._engines[number], message, rollups=self._stage.name == ROLLUPS)
                    bar.update(1)
        return count

    async def _write(self, lane: Partition, opened: Lane, at: Resume) -> int:
        """What a lane's rules know now goes into its state; how much that is."""
        engine, memory = self._engines[lane.partition], self._memory
        loaded = await memory.load(lane, None)
        assert loaded is not None
        kept = loaded.kept
        if kept.lane is not None:
            engine.on_time(kept.lane.clock_ms)
        offset = max(kept.offset, at.offset - 1)
        records = [*memory.outputs(lane, tuple(bootstrap.changes(engine, kept)), offset)]
        learnt = len(records)
        records.append(memory.lane_output(lane, bootstrap.lane_of(engine, kept, memory.partitions), offset))
        for start in range(0, len(records), RECORDS_MAX):
            await opened.commit(records[start : start + RECORDS_MAX], at.offset, at.metadata)
        return learnt


def _see(engine: Watch, message: Message, *, rollups: bool) -> bool:
    """Let an engine see a record; False for one that cannot be read."""
    if rollups:
        found = codec.read_rollup(message)
        if isinstance(found, Rejected):
            return False
        engine.on_rollup(found[0], message.timestamp_ms)
        return True
    signal = codec.read_signal(message)
    if isinstance(signal, Rejected):
        return False
    engine.on_signal(signal, message.timestamp_ms)
    return True
