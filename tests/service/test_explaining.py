"""Explanations beside the scoring: asked, awaited, shared, and never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from riskstream.core.reading.attribution import Reading, Spans
from riskstream.core.records import Encoded, Partition, Prediction
from riskstream.scoring.explain import ExplainLimits
from riskstream.scoring.worker import Worker
from riskstream.service.explaining import Explaining, ExplainPolicy
from riskstream.telemetry import Metrics, Telemetry
from tests.support.until import until
from tests.support.weighing import Weighing

LANE, OTHER = Partition("news", 0), Partition("news", 1)
SCORER = Weighing({"defaults": 2.0})
READING = Reading("Acme", "Acme defaults today")
FOUND: Spans = ((5, 13, 2.0),)


class Desk:
    """An `Explaining` at work, and what it answered."""

    def __init__(self, policy: ExplainPolicy, scorer: Weighing = SCORER) -> None:
        self.telemetry = Telemetry(Metrics())
        self.scorer, self.worker, self.busy = scorer, Worker(scorer), False
        self.explaining = Explaining(self.worker, policy, busy=lambda: self.busy, telemetry=self.telemetry)
        self.answers: list[list[Spans]] = []

    def ask(self, *readings: Reading, lane: Partition = LANE) -> None:
        self.explaining.ask(lane, self.scorer, readings, lambda spans: self.answers.append(list(spans)))

    def counted(self, outcome: str) -> float:
        registry = self.telemetry.metrics.registry
        return registry.get_sample_value("riskstream_explanations_total", {"outcome": outcome}) or 0.0


@asynccontextmanager
async def working(desk: Desk) -> AsyncIterator[None]:
    task = asyncio.create_task(desk.explaining.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await desk.worker.close()


async def test_readings_are_explained_together() -> None:
    desk = Desk(ExplainPolicy())
    desk.ask(READING, Reading("Bolt", "Bolt is calm"))
    async with working(desk):
        await until(lambda: len(desk.answers) == 1)
    assert desk.answers == [[FOUND, ()]]
    assert desk.counted("explained") == 2


async def test_the_same_text_is_explained_once() -> None:
    desk = Desk(ExplainPolicy())
    desk.ask(READING)
    desk.ask(READING)
    async with working(desk):
        await until(lambda: len(desk.answers) == 2)
        desk.ask(READING)
    assert desk.answers == [[FOUND]] * 3
    assert (desk.counted("explained"), desk.counted("known")) == (1, 1)


async def test_beyond_the_queue_a_signal_goes_out_without() -> None:
    desk = Desk(ExplainPolicy(queue_max=1))
    desk.ask(READING)
    desk.ask(Reading("Bolt", "Bolt defaults"))
    assert desk.answers == [[()]]
    async with working(desk):
        await until(lambda: len(desk.answers) == 2)
    assert desk.answers[1] == [FOUND]
    assert desk.counted("skipped") == 1


async def test_a_closed_lane_waits_for_nothing() -> None:
    desk = Desk(ExplainPolicy())
    desk.ask(READING)
    desk.ask(Reading("Bolt", "Bolt defaults"), lane=OTHER)
    desk.explaining.closed(LANE)
    async with working(desk):
        await until(lambda: bool(desk.answers))
    assert len(desk.answers) == 1
    assert desk.counted("explained") == 1


async def test_a_busy_model_is_shared() -> None:
    desk = Desk(ExplainPolicy(share_max=0.01))
    desk.busy = True
    async with working(desk):
        desk.ask(READING)
        await until(lambda: len(desk.answers) == 1)
        desk.ask(Reading("Bolt", "Bolt defaults"))
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(desk.answers) == 1
        desk.explaining.scored(3_600.0)
        await until(lambda: len(desk.answers) == 2)


class Broken(Weighing):
    """Fails on every batch."""

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        raise RuntimeError("out of memory")


async def test_what_cannot_be_explained_goes_out_without() -> None:
    desk = Desk(ExplainPolicy(limits=ExplainLimits(words_max=4)), Broken({}))
    desk.ask(READING)
    async with working(desk):
        await until(lambda: len(desk.answers) == 1)
    assert desk.answers == [[()]]
    assert desk.counted("failed") == 1
