"""A stage over the embedded broker: everything comes out once and in order, whatever happens to its lanes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import msgspec
import pytest

from riskstream.core.lanes import suspicion
from riskstream.core.ports import Resume, TopicInfo
from riskstream.core.records import Message, Output, Partition, Ticket
from riskstream.kafka.memory import MemoryBroker, MemoryLane
from riskstream.kafka.memory_group import MemorySource
from riskstream.sections import Stages
from riskstream.service.health import Health
from riskstream.service.stages.lanes import AT_ONCE, Done, Finish
from riskstream.service.stages.stage import REOPENINGS_MAX
from riskstream.telemetry import Metrics, Telemetry
from tests.service.stages import LIMITS, Upper, joined, make_broker, make_stage, out, running, send, settled
from tests.support.until import until


async def test_every_record_comes_out_once_and_in_order() -> None:
    broker = await make_broker()
    await send(broker, "a", "b", "c")
    async with running(broker, Upper()) as stage:
        await joined(stage)
        await settled(broker)
        await send(broker, "d")
        await settled(broker)
    assert await out(broker) == ["A", "B", "C", "D"]


async def test_answers_out_of_order_leave_in_order() -> None:
    broker, processor = await make_broker(), Upper()
    processor.hold = True
    async with running(broker, processor) as stage:
        await joined(stage)
        await send(broker, *"abcdef")
        await until(lambda: len(processor.held) == 6)
        processor.let_go()
        await settled(broker)
    assert await out(broker) == list("ABCDEF")


async def test_a_lane_that_has_all_that_a_transaction_may_hold_waits_for_no_more() -> None:
    broker = await make_broker()
    async with running(broker, Upper(), limits=Stages(commit_ms=5_000, commit_records_max=3)) as stage:
        await joined(stage)
        await send(broker, *"abcdef")
        await asyncio.wait_for(broker.settle(["app.score"]), 4)
    assert await out(broker) == list("ABCDEF")


class Urgent(Upper):
    """Somebody waits for every third of its answers."""

    def accept(self, work: Sequence[tuple[Ticket, Message]], finish: Finish) -> None:
        def marked(ticket: Ticket, done: Done) -> None:
            finish(ticket, msgspec.structs.replace(done, urgent=ticket.sequence % 3 == 2))

        super().accept(work, marked)


async def test_what_somebody_waits_for_leaves_at_once_and_takes_with_it_what_came_before() -> None:
    broker = await make_broker()
    async with running(broker, Urgent(), limits=Stages(commit_ms=5_000)) as stage:
        await joined(stage)
        await send(broker, *"abc")
        await asyncio.wait_for(broker.settle(["app.score"]), 4)
    assert await out(broker) == list("ABC")


class Slow(Upper):
    """Notes how many records it is given at once, and how often others had their turn before."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0
        self.given: list[tuple[int, int]] = []

    def accept(self, work: Sequence[tuple[Ticket, Message]], finish: Finish) -> None:
        self.given.append((len(work), self.turns))
        super().accept(work, finish)

    async def others(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)


async def test_many_records_at_once_leave_others_their_turn() -> None:
    """Else a processor that thinks long blocks heartbeats and transactions, and its lanes are lost for good."""
    broker, processor = await make_broker(), Slow()
    await send(broker, *map(str, range(10 * AT_ONCE)))
    others = asyncio.create_task(processor.others())
    async with running(broker, processor) as stage:
        await joined(stage)
        await settled(broker)
    others.cancel()
    later = processor.given[1:]  # the first are held until the lane has noted that it begins
    assert max(count for count, _ in later) <= AT_ONCE
    assert all(one[1] < next_[1] for one, next_ in itertools.pairwise(later))
    assert await out(broker) == list(map(str, range(10 * AT_ONCE)))


async def test_a_stop_commits_what_is_in_flight() -> None:
    broker, processor = await make_broker(), Upper()
    processor.hold = True
    async with running(broker, processor) as stage:
        await joined(stage)
        await send(broker, *"abc")
        await until(lambda: len(processor.held) == 3)
        asyncio.get_running_loop().call_later(0.05, processor.let_go)
    assert await out(broker) == list("ABC")


async def test_a_lane_under_suspicion_does_not_wait_for_its_trial_when_it_is_taken_back() -> None:
    """Else its whole group stands still for as long as a drain may take, which here is longer than the test waits."""
    broker, processor = await make_broker(), Upper()
    processor.hold = True
    dead = broker.lane(Partition("in", 0), "app.score", "app.score.in.0")
    await dead.open()
    await dead.commit([], 0, suspicion.write(suspicion.Note().begun("dead"), ""))
    suspects: list[int] = []
    async with running(broker, processor, suspect=lambda _, until: suspects.append(until)) as stage:
        await joined(stage)
        await send(broker, *"abc")
        await until(lambda: len(processor.held) == 3)
        ticket, done, finish = processor.held[0]
        finish(ticket, done)
    assert suspects
    assert await out(broker) == ["A"]
    processor.hold = False
    async with running(broker, processor, suspect=lambda _, __: None):
        await settled(broker)
    assert await out(broker) == list("ABC")


async def test_a_lost_lane_loses_nothing_and_repeats_nothing() -> None:
    broker = await make_broker()
    async with running(broker, Upper()) as stage:
        await joined(stage)
        await send(broker, "a")
        await settled(broker)
        broker.fail_commits(Partition("in", 0))
        await send(broker, "b", "c")
        await settled(broker)
    assert await out(broker) == ["A", "B", "C"]


async def test_a_lane_that_a_stranger_fenced_is_opened_again_while_the_group_says_that_it_is_ours() -> None:
    broker = await make_broker()
    async with running(broker, Upper()) as stage:
        await joined(stage)
        for text in "abc":
            thief = broker.lane(Partition("in", 0), "app.score", "app.score.in.0")
            await thief.open()
            await send(broker, text)
            await settled(broker)
    assert await out(broker) == ["A", "B", "C"]


async def test_a_lane_that_is_lost_again_and_again_gives_up_its_membership_and_loses_nothing() -> None:
    broker = await make_broker()
    broker.fail_commits(Partition("in", 0), REOPENINGS_MAX + 1)
    async with running(broker, Upper()) as stage:
        await joined(stage)
        await send(broker, "a")
        await settled(broker)
    assert await out(broker) == ["A"]


@pytest.mark.parametrize("rebalances", [1, 3])
async def test_rebalances_lose_nothing_and_repeat_nothing(rebalances: int) -> None:
    broker = await make_broker(partitions=4)
    async with running(broker, Upper()) as one, running(broker, Upper()) as other:
        await joined(one)
        await joined(other)
        for round_ in range(rebalances):
            await send(broker, *(f"{round_}-{i}" for i in range(20)))
            await broker.rebalance("app.score")
        await settled(broker)
    assert sorted(await out(broker)) == sorted(f"{r}-{i}" for r in range(rebalances) for i in range(20))


async def test_no_record_is_read_before_the_processor_has_opened_the_lane() -> None:
    broker, processor, telemetry = await make_broker(), Upper(), Telemetry(Metrics())
    await send(broker, "a", "b")
    processor.opens.clear()
    async with running(broker, processor, telemetry=telemetry) as stage:
        await until(lambda: "opening" in processor.diary)
        assert not stage.lanes_ready
        restoring = {"stage": "score", "state": "restoring"}
        assert telemetry.metrics.registry.get_sample_value("riskstream_lanes", restoring) == 1
        processor.opens.set()
        await settled(broker)
    assert processor.diary == ["assigned 1", "opening", "opened", "A", "B"]
    assert telemetry.metrics.registry.get_sample_value("riskstream_restore_seconds_sum") == 0.5


async def test_a_lane_that_is_taken_back_while_it_opens_reads_nothing() -> None:
    broker, processor = await make_broker(), Upper()
    await send(broker, "a")
    processor.opens.clear()
    async with running(broker, processor) as stage:
        await until(lambda: "opening" in processor.diary)
        await broker.rebalance("app.score")
        await until(lambda: processor.diary.count("opening") == 2)
        processor.opens.set()
        await joined(stage)
        await settled(broker)
    assert await out(broker) == ["A"]


async def test_what_comes_last_is_written_once_in_a_transaction_and_its_end_is_told() -> None:
    broker, processor = await make_broker(), Upper()
    processor.hold = True
    async with running(broker, processor) as stage:
        await joined(stage)
        await send(broker, *"abc")
        await until(lambda: len(processor.held) == 3)
        processor.let_go()
        await settled(broker)
        await until(lambda: processor.ends)
    assert (await out(broker), await out(broker, "last")) == (list("ABC"), ["C"])
    assert processor.ends == {Partition("out", 0): 4, Partition("last", 0): 2}


async def test_an_idle_lane_is_told_the_time() -> None:
    broker, processor = await make_broker(), Upper()
    async with running(broker, processor) as stage:
        await joined(stage)
        await until(lambda: processor.ticks)
    assert set(processor.ticks) == {1_000}


class Reluctant(MemoryBroker):
    """Its lanes take some turns of the event loop to let go, as Kafka's do, and its group can refuse to confirm."""

    refusals = 0

    def lane(self, partition: Partition, group: str, transactional_id: str) -> MemoryLane:
        lane = super().lane(partition, group, transactional_id)
        let_go = lane.close

        async def close() -> None:
            for _ in range(100):
                await asyncio.sleep(0)
            await let_go()

        lane.close = close  # type: ignore[method-assign]
        return lane

    def source(self, group: str, topics: Sequence[str]) -> MemorySource:
        source = super().source(group, topics)
        confirm = source.confirm

        async def asked(partition: Partition) -> bool:
            if self.refusals:
                self.refusals -= 1
                return False
            return await confirm(partition)

        source.confirm = asked  # type: ignore[method-assign]
        return source


async def test_a_rebalance_while_a_stage_stops_does_not_hold_it_up() -> None:
    broker, processor = Reluctant(now_ms=lambda: 1_000), Upper()
    await broker.create_topics([TopicInfo("in", 2), TopicInfo("out", 1), TopicInfo("last", 1)])
    processor.hold = True
    stage, stop = make_stage(broker, processor), asyncio.Event()
    running_stage = asyncio.create_task(stage.run(stop))
    await joined(stage)
    await send(broker, "a", "b")
    await until(lambda: len(processor.held) == 2)
    stop.set()
    await until(lambda: not stage.lanes_ready)
    rebalance = asyncio.create_task(broker.rebalance("app.score"))
    await asyncio.sleep(0)
    processor.let_go()
    await asyncio.wait_for(asyncio.gather(running_stage, rebalance), 5)
    assert sorted(await out(broker)) == ["A", "B"]


@pytest.mark.parametrize("turns", [0, 20, 60, 120, 300])
async def test_a_membership_that_is_given_up_while_another_joins_loses_nothing(turns: int) -> None:
    broker = Reluctant(now_ms=lambda: 1_000)
    await broker.create_topics([TopicInfo("in", 2), TopicInfo("out", 1), TopicInfo("last", 1)])
    async with running(broker, Upper()) as one:
        await joined(one)
        broker.refusals = 1
        broker.fail_commits(Partition("in", 0), REOPENINGS_MAX + 1)
        await send(broker, *"abcd")
        for _ in range(turns):
            await asyncio.sleep(0)
        async with running(broker, Upper()) as other:
            await settled(broker)
            await until(lambda: one.lanes_ready and other.lanes_ready)
            await send(broker, *"efgh")
            await settled(broker)
    assert sorted(await out(broker)) == list("ABCDEFGH")


async def test_a_lane_that_cannot_go_on_stops_alone_and_says_why() -> None:
    broker, health = await make_broker(2), Health()
    lost = broker.lane(Partition("in", 0), "app.score", "app.score.in.0")
    await lost.open()
    await lost.commit([], 99)
    async with running(broker, Upper(), health):
        await until(lambda: "99" in health.why_not("score.lanes"))
        publisher = await broker.publisher()
        await publisher.send([Output("in", None, b"b", (), 1)])
        await until(lambda: broker.group("app.score").committed.get(Partition("in", 1), Resume(0)).offset == 1)
    assert await out(broker) == ["B"]


async def test_a_stage_is_not_ready_before_it_has_joined() -> None:
    health = Health()
    make_stage(await make_broker(), Upper(), health)
    assert health.why_not("score.lanes") == "the group has not been joined yet"


async def test_what_is_in_flight_counts_as_not_committed_also_while_the_lane_is_paused() -> None:
    broker, processor = await make_broker(), Upper()
    processor.hold = True
    telemetry = Telemetry(Metrics())
    async with running(broker, processor, telemetry=telemetry) as stage:
        await joined(stage)
        await send(broker, *(str(i) for i in range(LIMITS.in_flight_max + 7)))
        await until(lambda: stage.in_flight >= LIMITS.in_flight_max)
        registry = telemetry.metrics.registry
        await until(lambda: (registry.get_sample_value("riskstream_lag_records", {"topic": "in"}) or 0) >= 1_000)
        processor.hold = False
        processor.let_go()
        await settled(broker)
        await until(lambda: registry.get_sample_value("riskstream_lag_records", {"topic": "in"}) == 0)
    assert len(await out(broker)) == LIMITS.in_flight_max + 7
