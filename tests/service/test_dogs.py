"""What stands still, or does not fit, is found, told, and got over; where it cannot be, the process ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from riskstream.core.errors import DeviceLost, InternalError, first_error
from riskstream.core.records import Encoded, Message, Output, Partition, Prediction
from riskstream.kafka.memory import MemoryBroker
from riskstream.kafka.memory_group import MemorySource
from riskstream.scoring.plain import ConstantScorer
from riskstream.sections import Feed, Scoring
from riskstream.sections.trouble import Watchdogs
from riskstream.service.health import Health
from riskstream.telemetry import Metrics, Telemetry
from tests.service.daemons import Rig
from tests.service.stages import Upper, make_broker, make_stage, out, send
from tests.support.until import until

FEED = Feed(name="news", topic="feeds.news", start="earliest")


def barked(telemetry: Telemetry, dog: str) -> float | None:
    return telemetry.metrics.registry.get_sample_value("riskstream_watchdog_total", {"dog": dog})


def document(number: int) -> bytes:
    return b'{"id":"d%d","text":"Acme sinks for the %dth time","source":"s","published_at":"2026-03-09T11:59:00Z"}' % (
        number,
        number,
    )


async def read(broker: MemoryBroker) -> None:
    """The one record is committed, whoever is in the group meanwhile."""
    committed = broker.group("app.score").committed
    await until(lambda: (resume := committed.get(Partition("in", 0))) is not None and resume.offset == 1)


async def test_a_lane_that_answers_nothing_is_opened_anew_and_in_the_end_ends_the_process() -> None:
    broker, processor, telemetry = await make_broker(), Upper(), Telemetry(Metrics())
    processor.hold = True
    health = Health()
    stage = make_stage(broker, processor, health, telemetry, watchdogs=Watchdogs(lane_stuck_s=0.1))
    await send(broker, "a")
    running = asyncio.create_task(stage.run(asyncio.Event()))
    await until(lambda: barked(telemetry, "lane") == 1)
    await until(lambda: "none of 1 records in flight is answered" in health.why_not("score.lanes"))
    with pytest.raises(BaseExceptionGroup) as caught:
        await asyncio.wait_for(running, 20)
    assert isinstance(first_error(caught.value), InternalError)
    assert barked(telemetry, "lane") == 2
    assert await out(broker) == []


async def test_a_lane_that_answers_after_it_was_opened_anew_goes_on() -> None:
    broker, processor, telemetry = await make_broker(), Upper(), Telemetry(Metrics())
    processor.hold = True
    stop = asyncio.Event()
    stage = make_stage(broker, processor, telemetry=telemetry, watchdogs=Watchdogs(lane_stuck_s=0.2))
    await send(broker, "a")
    running = asyncio.create_task(stage.run(stop))
    await until(lambda: barked(telemetry, "lane") == 1)
    processor.hold = False
    await read(broker)
    stop.set()
    await asyncio.wait_for(running, 20)
    assert await out(broker) == ["A"]


class Mute(MemoryBroker):
    """Its first source never delivers anything, as aiokafka's can fall silent."""

    sources = 0

    def source(self, group: str, topics: Sequence[str]) -> MemorySource:
        source = super().source(group, topics)
        self.sources += 1
        if self.sources == 1:
            source.poll = self._nothing  # type: ignore[method-assign]
        return source

    async def _nothing(self, records_max: int, timeout_ms: int) -> Mapping[Partition, Sequence[Message]]:
        await asyncio.sleep(0.01)
        return {}


async def test_a_source_that_fell_silent_is_replaced() -> None:
    broker, telemetry = Mute(now_ms=lambda: 1_000), Telemetry(Metrics())
    await broker.create_topics([*(await (await make_broker()).topics()).values()])
    await send(broker, "a")
    stop = asyncio.Event()
    stage = make_stage(broker, Upper(), telemetry=telemetry, watchdogs=Watchdogs(source_silent_s=0.1))
    running = asyncio.create_task(stage.run(stop))
    await read(broker)
    stop.set()
    await asyncio.wait_for(running, 20)
    assert (await out(broker), barked(telemetry, "source"), broker.sources) == (["A"], 1, 2)


class Small(ConstantScorer):
    """A device with memory for two pairs."""

    sizes: list[int]

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        self.sizes.append(len(batch))
        if len(batch) > 2:
            raise MemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().score(batch)


async def test_a_batch_that_does_not_fit_is_halved_and_so_are_those_to_come(tmp_path: Path) -> None:
    scorer = Small()
    scorer.sizes = []
    rig = Rig(tmp_path, feed=FEED, scorer=scorer, scoring=Scoring(explain_risk_score_min=1.01))
    async with rig.running():
        await rig.send(*(document(number) for number in range(16)))
        assert rig.metric("riskstream_documents_total", feed="news", outcome="scored") == 16
        assert rig.metric("riskstream_watchdog_total", dog="memory") >= 1
        scorer.sizes.clear()
        await rig.send(*(document(number) for number in range(16, 32)))
    assert max(scorer.sizes) <= 2
    assert rig.metric("riskstream_documents_total", feed="news", outcome="scored") == 32


class Hanging(ConstantScorer):
    """A model that does not come back."""

    let_go: threading.Event

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        self.let_go.wait(60)
        return super().score(batch)


async def test_a_model_that_does_not_come_back_ends_the_daemon(tmp_path: Path) -> None:
    scorer = Hanging()
    scorer.let_go = threading.Event()
    rig = Rig(tmp_path, feed=FEED, scorer=scorer, watchdogs=Watchdogs(batch_s_max=0.2))
    try:
        with pytest.raises(DeviceLost, match=r"a batch has been in the model for 0\.2 s"):
            async with rig.running():
                publisher = await rig.broker.publisher()
                await publisher.send([Output(FEED.topic, None, document(1))])
                await until(lambda: rig.metric("riskstream_watchdog_total", dog="model"))
        assert rig.metric("riskstream_watchdog_total", dog="model") == 1
        assert rig.daemon.health.live() == (False, {"model": rig.daemon.health.why_not("model")})
    finally:
        scorer.let_go.set()


BLOCKED = """
import asyncio, time
from riskstream.cli_support import guarded_loop

async def work():
    async with guarded_loop(0.5):
        await asyncio.sleep(0.7)
        print("alive", flush=True)
        time.sleep(60)

asyncio.run(work())
"""


def test_a_blocked_loop_ends_the_process_and_shows_where_it_stands() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout) == (1, "alive\n")
    assert "in work" in done.stderr
