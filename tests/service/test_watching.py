"""The watch stage over the embedded broker: what it remembers survives its owners, and one fake clock moves all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from riskstream.core.errors import OperatorError
from riskstream.core.ports import Start, TopicInfo
from riskstream.core.records import Alert, Output, Partition, Watched
from riskstream.core.watching import codec
from riskstream.core.watching.watch import WatchLimits
from riskstream.kafka.memory import MemoryBroker
from riskstream.sections import Stages
from riskstream.service.health import Health
from riskstream.service.stages.memory import Memory
from riskstream.service.stages.stage import Stage
from riskstream.service.stages.watching import RENEWED_AT_ONCE, WatchProcessor, WatchTopics
from riskstream.service.stages.watchlane import InForce
from riskstream.telemetry import Metrics, Telemetry
from riskstream.telemetry.events import Event, LaneRestored
from tests.core.signals import SHOCK, START_MS, WATCHLIST, make_signal, rules
from tests.support.until import until

SIGNALS, STATE = "signals", "state"
LANE = Partition(SIGNALS, 0)
H = 3_600


class Recorder(Telemetry):
    """Telemetry that can be asked what happened."""

    def __init__(self) -> None:
        super().__init__(Metrics())
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)
        super().emit(event)


class Desk:
    """Topics, a clock that the broker and all stages are told, and any number of watch stages."""

    def __init__(self, text: str = SHOCK) -> None:
        self.in_force = InForce(rules(text), WATCHLIST)
        self.now_ms = START_MS
        self.broker = MemoryBroker(now_ms=lambda: self.now_ms)
        self.told = Recorder()

    async def create(self, partitions: int = 1) -> Desk:
        own = [TopicInfo(SIGNALS, partitions), TopicInfo(STATE, partitions)]
        await self.broker.create_topics([*own, TopicInfo("alerts", 1), TopicInfo("dead", 1)])
        return self

    @asynccontextmanager
    async def watching(self, *, told: Recorder | None = None, partitions: int | None = None) -> AsyncIterator[Stage]:
        telemetry = told or self.told
        count = (await self.broker.topics())[SIGNALS].partitions if partitions is None else partitions
        processor = WatchProcessor(
            self.in_force,
            WatchTopics("alerts", "dead", 1_000),
            Memory(self.broker.state(STATE), STATE, count, 1),
            limits=WatchLimits(),
            tick_lag_ms=2_000,
            telemetry=telemetry,
        )
        limits = Stages(commit_ms=1, rejoin_max_s=1)
        start = {SIGNALS: Start("earliest")}
        options = {"telemetry": telemetry, "health": Health(), "now_ms": lambda: self.now_ms}
        stage, stop = Stage("watch", self.broker, "app", start, processor, limits, **options), asyncio.Event()
        task, renewing = asyncio.create_task(stage.run(stop)), asyncio.create_task(processor.run())
        self.processor = processor
        try:
            await until(lambda: stage.lanes_ready or task.done())
            if task.done():
                task.result()
            yield stage
        finally:
            stop.set()
            await asyncio.wait_for(task, 10)
            renewing.cancel()

    async def say(self, document: str, score: float = 0.7, at_s: float | None = None, entity: str = "ACME") -> None:
        """A signal, published `at_s` seconds after the start (None: now), appended now."""
        after_s = (self.now_ms - START_MS) / 1000 if at_s is None else at_s
        signal = make_signal(document, at_s=after_s, entity=entity, risk_score=score)
        publisher = await self.broker.publisher()
        await publisher.send([Output(SIGNALS, entity.encode(), codec.encode(signal))])

    async def settled(self) -> list[Alert]:
        """Wait until all signals are committed; all alerts so far."""
        await asyncio.wait_for(self.broker.settle(["app.watch"]), 10)
        return await self.alerts()

    async def alerts(self) -> list[Alert]:
        return [codec.decode_alert(m.value or b"") async for m in self.broker.reader("alerts").read()]

    def alerts_seen(self) -> int:
        return len(self.broker.log(Partition("alerts", 0)).messages)

    def reads(self) -> list[int]:
        """How many records of the log each opening of a lane has read."""
        return [event.records for event in self.told.events if isinstance(event, LaneRestored)]


def tell(alerts: list[Alert]) -> list[str]:
    return [f"{(alert.updated_at[11:19])} {alert.reason}" for alert in alerts if alert.reason != "evidence"]


async def test_the_next_owner_knows_the_open_alert_and_its_clock() -> None:
    desk = await Desk().create()
    async with desk.watching():
        await desk.say("d1")
        await desk.settled()
    desk.now_ms += 30_000
    async with desk.watching():
        await desk.say("d1")
        await desk.say("d2", 0.95)
        alerts = await desk.settled()
    assert len({alert.alert_id for alert in alerts}) == 1
    assert tell(alerts) == ["00:00:00 fired", "00:00:30 raised"]


async def test_alerts_state_and_offset_are_one_transaction() -> None:
    desk = await Desk().create()
    async with desk.watching():
        await desk.say("d1")
        await desk.settled()
        before = desk.broker.log(Partition(STATE, 0)).end
        desk.broker.fail_commits(LANE)
        await desk.say("d2", 0.95)
        alerts = await desk.settled()
    keys = [m.key async for m in desk.broker.reader(STATE).read({0: before})]
    assert tell(alerts) == ["00:00:00 fired", "00:00:00 raised"]
    assert keys == [b"ACME|signal|2", b"ACME|rule|shock", b"|lane|"]


async def test_what_time_alone_changes_is_kept_too() -> None:
    desk = await Desk(SHOCK + "for_s = 20\n").create()
    async with desk.watching():
        await desk.say("d1")
        await desk.settled()
        desk.now_ms += 10_000
        await desk.say("d2", 0.0, entity="B")
        assert await desk.settled() == []
    assert b"ACME|rule|shock" in {m.key async for m in desk.broker.reader(STATE).read()}, "pending, and told nobody"
    desk.now_ms += 13_000
    async with desk.watching():
        await until(lambda: desk.alerts_seen() == 1)
    assert tell(await desk.alerts()) == ["00:00:20 fired"]


async def test_a_lane_that_comes_back_in_a_rebalance_reads_nothing_again() -> None:
    desk = await Desk().create()
    async with desk.watching() as stage:
        await desk.say("d1")
        await desk.settled()
        await desk.broker.rebalance("app.watch")
        await until(lambda: stage.lanes_ready)
        desk.now_ms += 5_000
        await desk.say("d2", 0.95)
        assert tell(await desk.settled()) == ["00:00:00 fired", "00:00:05 raised"]
    assert desk.reads() == [0, 0]


async def test_a_lane_that_was_elsewhere_meanwhile_is_read_again() -> None:
    desk, other = await Desk().create(2), Recorder()
    lane_of = {entity: await partition_of(desk, entity) for entity in ("ACME", "B", "C", "D", "E")}
    entity = next(name for name, number in lane_of.items() if number == 1)
    async with desk.watching():
        await desk.say("d1", entity=entity)
        await desk.settled()
        async with desk.watching(told=other):
            await desk.say("d2", 0.95, entity=entity)
            await desk.settled()
        await desk.say("d3", 0.1, entity=entity)
        alerts = await desk.settled()
    assert len({alert.alert_id for alert in alerts}) == 1
    assert [alert.reason for alert in alerts] == ["fired", "raised"]
    assert [e.records > 0 for e in other.events if isinstance(e, LaneRestored) and e.partition == 1] == [True]


async def test_an_engine_that_is_ahead_of_its_commits_is_not_kept() -> None:
    desk = await Desk().create()
    async with desk.watching():
        await desk.say("d1")
        await desk.settled()
        desk.broker.fail_commits(LANE)
        await desk.say("d2", 0.95)
        assert tell(await desk.settled()) == ["00:00:00 fired", "00:00:00 raised"]
    assert desk.reads()[-1] > 0


async def test_signals_that_the_state_has_seen_are_passed_over_wherever_the_group_stands() -> None:
    desk = await Desk().create()
    async with desk.watching():
        for number in range(5):
            await desk.say(f"d{number}")
        before = await desk.settled()
    state_end = desk.broker.log(Partition(STATE, 0)).end
    del desk.broker.group("app.watch").committed[LANE]
    async with desk.watching():
        assert await desk.settled() == before
        assert desk.broker.log(Partition(STATE, 0)).end == state_end
        desk.now_ms += 1_000
        await desk.say("new", 0.95)
        assert tell(await desk.settled())[-1] == "00:00:01 raised"


async def test_a_signals_topic_that_begins_anew_is_not_taken_for_what_was_seen() -> None:
    desk = await Desk().create()
    async with desk.watching():
        for number in range(5):
            await desk.say(f"d{number}", 0.1)
        await desk.settled()
    log = desk.broker.log(LANE)
    log.messages.clear()
    log.offsets.clear()
    log.end = 0
    del desk.broker.group("app.watch").committed[LANE]
    desk.now_ms += 1_000
    async with desk.watching():
        await desk.say("new")
        assert tell(await desk.settled()) == ["00:00:01 fired"]


async def test_another_number_of_partitions_stops_the_start_and_names_both() -> None:
    desk = await Desk().create()
    async with desk.watching():
        await desk.say("d1")
        await desk.settled()
    with pytest.raises(BaseExceptionGroup) as caught:
        async with desk.watching(partitions=3):
            pass
    (error,) = caught.value.exceptions
    assert isinstance(error, OperatorError)
    assert "= 3" in str(error) and "there were 1" in str(error) and "topics create" in error.fix


async def partition_of(desk: Desk, entity: str) -> int:
    """Where the broker puts an entity's signals."""
    await desk.say(f"probe of {entity}", 0.0, entity=entity)
    messages = [m async for m in desk.broker.reader(SIGNALS).read() if m.key == entity.encode()]
    return messages[-1].position.partition


async def test_a_backlog_of_six_hours_neither_resolves_nor_silences_anything_early() -> None:
    """Texts at 0, 40, 80 … s keep one alert open for six hours, as long as each is judged at the time it came."""
    desk = await Desk("\n".join([SHOCK.replace("update_s = 20", "update_s = 86400"), "cooldown_s = 3600"])).create()
    async with desk.watching():
        await desk.say("first")
        await desk.settled()
    for number in range(6 * H // 40):
        desk.now_ms = START_MS + number * 40_000
        await desk.say(f"d{number}")
    desk.now_ms = START_MS + 6 * H * 1_000
    async with desk.watching():
        alerts = await desk.settled()
        assert tell(alerts) == ["00:00:00 fired"], "while it was behind, the wall clock did nothing"
        desk.now_ms += 61_000
        await until(lambda: desk.alerts_seen() > len(alerts))
    assert tell(await desk.alerts()) == ["00:00:00 fired", "06:00:20 expired"]


MANY = 3 * RENEWED_AT_ONCE
CROWD = {f"E{number:03}": Watched(f"E{number:03}", f"Firm {number}") for number in range(MANY)}
OTHER = InForce(rules(SHOCK.replace("shock", "other")), CROWD, "after")


async def crowd(desk: Desk) -> None:
    """An open alert about each of many."""
    desk.in_force = InForce(rules(), CROWD, "before")
    for entity in CROWD:
        await desk.say("d1", entity=entity)


async def test_signals_that_come_while_a_lane_is_renewed_are_judged_after_it() -> None:
    desk = await Desk().create()
    await crowd(desk)
    async with desk.watching():
        assert len(await desk.settled()) == MANY
        desk.processor.use(OTHER)
        desk.now_ms += 1_000
        await desk.say("d2", 0.9, entity="E000")
        await until(lambda: desk.alerts_seen() >= 3 * MANY)
        told = (await desk.settled())[MANY:]
    by_entity = {entity: [a for a in told if a.subject.id == entity] for entity in ("E000", f"E{MANY - 1:03}")}
    first, last = by_entity.values()
    assert [(a.rule, a.reason) for a in last] == [("shock", "rule_removed"), ("other", "fired")]
    assert [(a.rule, a.reason, a.updated_at[17:19]) for a in first] == [
        ("shock", "rule_removed", "00"),
        ("other", "fired", "00"),
        ("other", "raised", "01"),
    ]


async def test_a_start_under_other_rules_brings_all_under_them_though_no_signal_comes() -> None:
    desk = await Desk().create()
    await crowd(desk)
    async with desk.watching():
        assert len(await desk.settled()) == MANY
    desk.in_force = OTHER
    async with desk.watching() as stage:
        await until(lambda: desk.alerts_seen() >= 3 * MANY and not stage.in_flight)
    async with desk.watching() as stage:
        await until(lambda: stage.lanes_ready)
        assert not desk.processor._lanes[LANE].engine.renewing, "the state names what it was brought under"
    told = (await desk.settled())[MANY:]
    assert {(a.rule, a.reason) for a in told} == {("shock", "rule_removed"), ("other", "fired")}
