"""A lane that cannot go on stops alone, says why, and goes on where `feeds reset` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from riskstream.core.errors import BrokerUnreachable, OperatorError
from riskstream.core.ports import TopicInfo
from riskstream.core.records import Output, Partition
from riskstream.kafka.memory import MemoryBroker
from riskstream.sections import Feed
from riskstream.service.commands.reset import Where, reset
from riskstream.service.health import Health
from riskstream.service.stages import gaps
from riskstream.settings import Settings
from riskstream.telemetry import Metrics, Telemetry
from tests.service.stages import Upper, joined, make_broker, out, running, send, settled
from tests.support.until import until

SETTINGS = Settings(app="app", feed=(Feed(name="in", topic="in", start="earliest"),))
IN = Partition("in", 0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "LOOK_S", 0.005)


class Watcher:
    """What an operator sees of a stage."""

    def __init__(self) -> None:
        self.health, self.telemetry = Health(), Telemetry(Metrics())

    @property
    def why(self) -> str:
        return self.health.why_not("score.lanes")

    def metric(self, name: str, **labels: str) -> float | None:
        labels = {"stage": "score", **labels}
        return self.telemetry.metrics.registry.get_sample_value(f"riskstream_{name}", labels)


async def read(broker: MemoryBroker, *texts: str) -> None:
    """These are sent, read and committed by a stage that then stops."""
    async with running(broker, Upper()) as stage:
        await joined(stage)
        await send(broker, *texts)
        await settled(broker)


async def moved(broker: MemoryBroker, to: str, partition: int | None = None, *, dry_run: bool = False) -> list[str]:
    """What `feeds reset` says."""
    said: list[str] = []
    await reset(broker, SETTINGS, Where("in", partition, to), dry_run=dry_run, say=said.append)
    return said


async def remade(broker: MemoryBroker, partitions: int = 1) -> None:
    await broker.delete_topic("in")
    await broker.create_topics([TopicInfo("in", partitions)])


async def test_records_that_expired_unread_stop_the_lane_until_it_is_moved() -> None:
    broker, seen = await make_broker(), Watcher()
    await read(broker, "a")
    await send(broker, *"bcde")
    broker.expire(IN, 3)
    async with running(broker, Upper(), seen.health, seen.telemetry):
        await until(lambda: "in/0 cannot go on at offset 1" in seen.why)
        assert "the broker holds 3 to 5, so up to 2 records expired unread" in seen.why
        assert "riskstream feeds reset --topic in --partition 0" in seen.why
        assert seen.metric("gaps", topic="in", reason="expired") == 1
        assert seen.metric("lanes", state="stopped") == 1
        with pytest.raises(OperatorError, match="has 1 members now"):
            await moved(broker, "earliest")
    told = ["in/0: goes on at 3 instead of 1; 2 offsets before 3 are gone already"]
    assert await moved(broker, "earliest") == told
    async with running(broker, Upper(), seen.health, seen.telemetry) as stage:
        await joined(stage)
        await settled(broker)
    assert await out(broker) == ["A", "D", "E"]


async def test_a_topic_that_is_made_anew_is_not_read_as_if_it_were_the_old_one() -> None:
    broker, seen = await make_broker(), Watcher()
    await read(broker, "a")
    await remade(broker)
    await send(broker, *"bcd")
    async with running(broker, Upper(), seen.health, seen.telemetry):
        await until(lambda: "in/0 cannot go on at offset 1: the topic was made anew since" in seen.why)
        assert seen.metric("gaps", topic="in", reason="recreated") == 1
    assert await moved(broker, "1") == ["in/0: goes on at 1 instead of 1"]
    async with running(broker, Upper()) as stage:
        await joined(stage)
        await settled(broker)
    assert await out(broker) == ["A", "C", "D"]


async def test_a_topic_that_is_deleted_under_the_stage_is_named_and_other_topics_are_read() -> None:
    broker, seen = await make_broker(), Watcher()
    await broker.create_topics([TopicInfo("also", 1)])
    async with running(broker, Upper(), seen.health, seen.telemetry, topics=("in", "also")) as stage:
        await joined(stage)
        await send(broker, "a")
        await settled(broker)
        await broker.delete_topic("in")
        await until(lambda: "the topic is not on the broker any more" in seen.why)
        assert seen.metric("gaps", topic="in", reason="deleted") == 1
        publisher = await broker.publisher()
        await publisher.send([Output("also", None, b"b")])
        await settled(broker)
        await broker.create_topics([TopicInfo("in", 1)])
        await broker.rebalance("app.score")
        await until(lambda: "the topic was made anew since" in seen.why)
    assert await out(broker) == ["A", "B"]


class Reachable(MemoryBroker):
    """A broker that may be away: then nobody learns of its topics, and it says nothing else either."""

    away = False

    async def topic_ids(self, topics: Sequence[str]) -> Mapping[str, str]:
        if self.away:
            raise BrokerUnreachable("kafka.bootstrap_servers", "here", "no broker can be reached", "start it")
        return await super().topic_ids(topics)


async def test_a_stage_without_work_says_that_all_brokers_are_away_and_goes_on_when_one_is_back() -> None:
    broker, seen = Reachable(now_ms=lambda: 1_000), Watcher()
    await broker.create_topics([TopicInfo(name, 1) for name in ("in", "out", "last")])
    async with running(broker, Upper(), seen.health, seen.telemetry) as stage:
        await joined(stage)
        broker.away = True
        await until(lambda: seen.metric("stage_waiting") == 1)
        assert "no broker can be reached" in seen.why
        broker.away = False
        await until(lambda: seen.metric("stage_waiting") == 0 and stage.lanes_ready)
        await send(broker, "a")
        await settled(broker)
    assert await out(broker) == ["A"]


async def test_a_broker_that_misses_fewer_looks_than_that_ends_no_membership() -> None:
    broker = Reachable(now_ms=lambda: 1_000)
    await broker.create_topics([TopicInfo("in", 1)])
    looks = gaps.Gaps(broker, ["in"], {})
    for _ in range(3):
        broker.away = True
        for _ in range(gaps.AWAY_LOOKS - 1):
            await looks.look(lambda gap: None)
        broker.away = False
        await looks.look(lambda gap: None)
    broker.away = True
    with pytest.raises(BrokerUnreachable):
        for _ in range(gaps.AWAY_LOOKS):
            await looks.look(lambda gap: None)


async def test_where_a_partition_begins_is_chosen_once() -> None:
    broker = await make_broker()
    async with running(broker, Upper(), start="latest") as stage:
        await joined(stage)
    await send(broker, "a")
    async with running(broker, Upper(), start="latest"):
        await settled(broker)
    assert await out(broker) == ["A"]


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("latest", "in/0: would go on at 4 instead of 1; 3 offsets are skipped and never read"),
        ("earliest", "in/0: would go on at 0 instead of 1; 1 offsets are read again"),
        ("3", "in/0: would go on at 3 instead of 1; 2 offsets are skipped and never read"),
        ("1970-01-01T00:00:01Z", "in/0: would go on at 0 instead of 1; 1 offsets are read again"),
        ("2030-01-01", "in/0: would go on at 4 instead of 1; 3 offsets are skipped and never read"),
    ],
)
async def test_what_a_move_skips_is_told_and_a_dry_run_moves_nothing(to: str, told: str) -> None:
    broker = await make_broker()
    await read(broker, "a")
    await send(broker, *"bcd")
    assert await moved(broker, to, dry_run=True) == [told]
    assert broker.group("app.score").committed[IN].offset == 1


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (Where("other", None, "latest"), "--topic = 'other': no group of the settings reads it"),
        (Where("in", 7, "latest"), "--partition = 7: topic 'in' has partitions 0 to 0"),
        (Where("in", None, "9"), "--to = 9: in/0 holds 0 to 0"),
        (Where("in", None, "yesterday"), "--to = 'yesterday': is no place in a topic"),
        (Where("riskstream.signals", None, "latest"), "--topic = 'riskstream.signals': is not on the broker"),
    ],
)
async def test_a_move_to_nowhere_is_refused(where: Where, told: str) -> None:
    with pytest.raises(OperatorError) as caught:
        await reset(await make_broker(), SETTINGS, where, dry_run=False, say=lambda _: None)
    assert str(caught.value).startswith(told)
