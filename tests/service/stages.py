"""A stage over the embedded broker, with a processor that answers in upper case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from riskstream.core.ports import Ends, Partitions, Start, TopicInfo
from riskstream.core.records import Message, Output, Partition, Ticket
from riskstream.kafka.memory import MemoryBroker
from riskstream.sections import Stages
from riskstream.sections.trouble import Watchdogs
from riskstream.service.health import Health
from riskstream.service.stages.lanes import Done, Finish, Restored
from riskstream.service.stages.stage import Stage
from riskstream.telemetry import Metrics, Telemetry
from tests.support.until import until

LIMITS = Stages(commit_ms=1, rejoin_max_s=1)


class Upper:
    """Answers in upper case; can hold its answers back and be slow to open, and keeps a diary of its lanes."""

    def __init__(self) -> None:
        self.held: list[tuple[Ticket, Done, Finish]] = []
        self.hold = False
        self.diary: list[str] = []
        self.opens = asyncio.Event()
        self.opens.set()
        self.ticks: list[int] = []
        self.ends: dict[Partition, int] = {}

    def assigned(self, lanes: Partitions) -> None:
        self.diary.append(f"assigned {len(lanes)}")

    async def opened(self, lane: Partition, add: Callable[[Done], None]) -> Restored | None:
        self.diary.append("opening")
        await self.opens.wait()
        self.diary.append("opened")
        return Restored(7, 2, 0.5)

    def accept(self, work: Sequence[tuple[Ticket, Message]], finish: Finish) -> None:
        for ticket, message in work:
            value = (message.value or b"").upper()
            self.diary.append(value.decode())
            done = Done((Output("out", b"k", value),), message.timestamp_ms, (Output("last", b"k", value),))
            if self.hold:
                self.held.append((ticket, done, finish))
            else:
                finish(ticket, done)

    def let_go(self) -> None:
        for ticket, done, finish in reversed(self.held):
            finish(ticket, done)
        self.held.clear()

    def tick(self, lane: Partition, now_ms: int) -> Done | None:
        self.ticks.append(now_ms)
        return None

    def committed(self, lane: Partition, results: Sequence[Done], ends: Ends) -> None:
        self.ends = dict(ends)

    def closed(self, lane: Partition) -> None:
        self.held = [held for held in self.held if held[0].lane != lane]


async def make_broker(partitions: int = 1) -> MemoryBroker:
    broker = MemoryBroker(now_ms=lambda: 1_000)
    await broker.create_topics([TopicInfo("in", partitions), TopicInfo("out", 1), TopicInfo("last", 1)])
    return broker


def make_stage(
    broker: MemoryBroker,
    processor: Upper,
    health: Health | None = None,
    telemetry: Telemetry | None = None,
    *,
    topics: Sequence[str] = ("in",),
    start: str = "earliest",
    watchdogs: Watchdogs | None = None,
    limits: Stages = LIMITS,
    suspect: Callable[[Partition, int], None] | None = None,
) -> Stage:
    return Stage(
        "score",
        broker,
        "app",
        dict.fromkeys(topics, Start(start)),
        processor,
        limits,
        telemetry=telemetry or Telemetry(Metrics()),
        health=health or Health(),
        now_ms=lambda: 1_000,
        watchdogs=watchdogs,
        suspect=suspect,
    )


@asynccontextmanager
async def running(
    broker: MemoryBroker,
    processor: Upper,
    health: Health | None = None,
    telemetry: Telemetry | None = None,
    *,
    topics: Sequence[str] = ("in",),
    start: str = "earliest",
    limits: Stages = LIMITS,
    suspect: Callable[[Partition, int], None] | None = None,
) -> AsyncIterator[Stage]:
    stage = make_stage(broker, processor, health, telemetry, topics=topics, start=start, limits=limits, suspect=suspect)
    stop = asyncio.Event()
    task = asyncio.create_task(stage.run(stop))
    try:
        yield stage
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


async def send(broker: MemoryBroker, *texts: str) -> None:
    publisher = await broker.publisher()
    await publisher.send([Output("in", None, text.encode()) for text in texts])


async def out(broker: MemoryBroker, topic: str = "out") -> list[str]:
    return [(message.value or b"").decode() async for message in broker.reader(topic).read()]


async def settled(broker: MemoryBroker) -> None:
    await asyncio.wait_for(broker.settle(["app.score"]), 5)


async def joined(stage: Stage) -> None:
    await until(lambda: stage.lanes_ready)
