"""What every broker promises, held against the embedded one and a real Kafka with the same tests."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from riskstream.core.errors import LaneLost, OperatorError, UnknownTopic
from riskstream.core.ports import Broker, Resume, Start, StateRead, TopicInfo
from riskstream.core.records import Output, Partition
from tests.support.brokers import Member, fresh, member, new_topic, publish, read_all, values
from tests.support.until import SECONDS_MAX as WAIT_S
from tests.support.until import until


def out(topic: str, value: bytes | None, key: bytes | None = b"k", partition: int | None = 0) -> Output:
    return Output(topic, key, value, (), partition)


async def committed(broker: Broker, partition: Partition, group: str, name: str) -> Resume | None:
    """Where the next owner of a lane would go on."""
    lane = broker.lane(partition, group, name)
    resume = await lane.open()
    await lane.close()
    return resume


# Topics


async def test_a_created_topic_is_listed_with_its_partitions_and_settings(broker: Broker) -> None:
    name = await new_topic(broker, 3, **{"cleanup.policy": "compact"})
    info = (await broker.topics())[name]
    assert (info.partitions, info.replication) == (3, 1)
    assert info.config["cleanup.policy"] == "compact"
    assert info.config["message.timestamp.type"] == "LogAppendTime"


async def test_creating_a_topic_again_leaves_it_as_it_is(broker: Broker) -> None:
    name = await new_topic(broker, 3)
    await broker.create_topics([TopicInfo(name, 5)])
    assert (await broker.topics())[name].partitions == 3


async def test_replication_is_what_the_cluster_has_where_it_has_less(broker: Broker) -> None:
    name = fresh("topic")
    await broker.create_topics([TopicInfo(name, 1, 3)])
    assert (await broker.topics())[name].replication == 1


async def test_an_unknown_topic_is_the_operators_to_mend(broker: Broker) -> None:
    with pytest.raises(UnknownTopic, match="nowhere"):
        await publish(broker, out("nowhere", b"v"))
    with pytest.raises(UnknownTopic, match="nowhere"):
        await read_all(broker, "nowhere")
    source = broker.source(fresh("group"), ["nowhere"])
    with pytest.raises(UnknownTopic, match="nowhere"):
        await source.start(_nothing, _nothing)
    await source.stop()


# Writing and reading


async def test_records_come_in_order_with_all_their_parts(broker: Broker) -> None:
    topic = await new_topic(broker, 2)
    sent = [
        Output(topic, b"key", b"value", (("a", b"1"), ("a", b"2"), ("b", b"")), 0),
        Output(topic, None, b"no key", (), 1),
        Output(topic, b"tombstone", None, (), 0),
        Output(topic, None, None, (("riskstream-reason", b"null_value"),), 0),
        Output(topic, b"", b"", (), 0),
    ]
    await publish(broker, *sent)
    got = await read_all(broker, topic)
    as_sent = [Output(m.position.topic, m.key, m.value, m.headers, m.position.partition) for m in got]
    assert [o for o in as_sent if o.partition == 0] == [o for o in sent if o.partition == 0]
    assert [o for o in as_sent if o.partition == 1] == [sent[1]]
    assert [m.position.offset for m in got if m.position.partition == 0] == [0, 1, 2, 3]
    assert all(m.timestamp_ms > 1_600_000_000_000 for m in got)


async def test_order_per_partition_holds_over_many_requests(broker: Broker) -> None:
    topic = await new_topic(broker, 2)
    sent = [out(topic, b"%05d" % i * 200, partition=i % 2) for i in range(2_000)]
    await publish(broker, *sent)
    async with member(broker, fresh("group"), topic) as one:
        taken = await one.take(2_000, records_max=300)
    for number in (0, 1):
        assert values(taken[Partition(topic, number)]) == [o.value for o in sent if o.partition == number]


async def test_a_poll_gives_no_more_than_asked_and_skips_nothing(broker: Broker) -> None:
    topic = await new_topic(broker)
    await publish(broker, *(out(topic, b"%d" % i) for i in range(25)))
    async with member(broker, fresh("group"), topic) as one:
        got: list[int] = []
        while len(got) < 25:
            messages = (await one.source.poll(10, 1_000)).get(Partition(topic, 0), ())
            assert len(messages) <= 10
            got += [message.position.offset for message in messages]
    assert got == list(range(25))


# The partitions that Kafka's own partitioner (murmur2) gives these keys out of 7.
@pytest.mark.parametrize(
    ("key", "partition"), [(b"ACME", 1), (b"21", 3), (b"foobar", 0), (b"", 2), ("证券".encode(), 6)]
)
async def test_a_key_always_goes_to_kafkas_partition_for_it(broker: Broker, key: bytes, partition: int) -> None:
    topic = await new_topic(broker, 7)
    await publish(broker, Output(topic, key, b"1"), Output(topic, key, b"2"))
    assert {m.position.partition for m in await read_all(broker, topic)} == {partition}


async def test_an_oversized_record_is_refused_and_the_lane_goes_on(broker: Broker) -> None:
    topic = await new_topic(broker)
    lane = broker.lane(Partition(topic, 0), fresh("group"), fresh("id"))
    await lane.open()
    with pytest.raises(OperatorError, match=rf"a record of 12000\d\d bytes for topic '{topic}'"):
        await lane.commit([out(topic, b"small"), out(topic, b"x" * 1_200_000)], 1)
    assert await read_all(broker, topic) == []
    await lane.commit([out(topic, b"small")], 1)
    await lane.close()
    with pytest.raises(OperatorError, match=r"kafka\.message_bytes_max"):
        await publish(broker, out(topic, b"x" * 1_200_000))
    assert values(await read_all(broker, topic, at_least=1)) == [b"small"]


# Lanes


async def test_outputs_and_offset_are_committed_together(broker: Broker) -> None:
    feed, results = await new_topic(broker), await new_topic(broker, 3)
    group, name = fresh("group"), fresh("id")
    lane = broker.lane(Partition(feed, 0), group, name)
    assert await lane.open() is None
    await lane.commit([out(results, b"%d" % i, partition=i % 3) for i in range(9)], 41, "attempts=1")
    await lane.commit([], 42, "attempts=0")
    await lane.commit([out(results, b"9")], 43)
    await lane.close()
    assert sorted(values(await read_all(broker, results, at_least=10))) == [b"%d" % i for i in range(10)]
    again = broker.lane(Partition(feed, 0), group, name)
    assert await again.open() == Resume(43, "")
    await again.commit([], 44, "attempts=3")
    await again.close()
    assert await committed(broker, Partition(feed, 0), group, name) == Resume(44, "attempts=3")


async def test_lanes_of_other_partitions_and_groups_do_not_see_the_offset(broker: Broker) -> None:
    feed, group = await new_topic(broker, 2), fresh("group")
    lane = broker.lane(Partition(feed, 0), group, fresh("id"))
    await lane.open()
    await lane.commit([], 5)
    await lane.close()
    for other in (
        broker.lane(Partition(feed, 1), group, fresh("id")),
        broker.lane(Partition(feed, 0), "x", fresh("id")),
    ):
        assert await other.open() is None
        await other.close()


async def test_a_newer_owner_fences_the_older(broker: Broker) -> None:
    feed, results = await new_topic(broker), await new_topic(broker)
    group, name = fresh("group"), fresh("id")
    old, new = (broker.lane(Partition(feed, 0), group, name) for _ in range(2))
    await old.open()
    await old.commit([out(results, b"old 1")], 1)
    assert await new.open() == Resume(1)
    with pytest.raises(LaneLost):
        await old.commit([out(results, b"old 2")], 2)
    with pytest.raises(LaneLost):
        await old.commit([], 3)
    await old.close()
    await new.commit([out(results, b"new 2")], 2)
    await new.close()
    assert values(await read_all(broker, results, at_least=2)) == [b"old 1", b"new 2"]
    assert await committed(broker, Partition(feed, 0), group, name) == Resume(2)


async def test_a_fenced_lane_stays_lost_for_a_commit_of_the_offset_alone(broker: Broker) -> None:
    feed, group, name = await new_topic(broker), fresh("group"), fresh("id")
    old, new = (broker.lane(Partition(feed, 0), group, name) for _ in range(2))
    await old.open()
    await new.open()
    await new.commit([], 7)
    with pytest.raises(LaneLost):
        await old.commit([], 3)
    await asyncio.gather(old.close(), new.close())
    assert await committed(broker, Partition(feed, 0), group, name) == Resume(7)


async def test_a_lane_that_is_not_open_commits_nothing(broker: Broker) -> None:
    topic = await new_topic(broker)
    lane = broker.lane(Partition(topic, 0), fresh("group"), fresh("id"))
    with pytest.raises(LaneLost):
        await lane.commit([out(topic, b"v")], 1)
    await lane.open()
    await lane.close()
    with pytest.raises(LaneLost):
        await lane.commit([out(topic, b"v")], 1)
    await lane.close()
    assert await read_all(broker, topic) == []


async def test_a_bad_output_leaves_nothing_of_its_transaction(broker: Broker) -> None:
    topic = await new_topic(broker)
    group, name = fresh("group"), fresh("id")
    lane = broker.lane(Partition(topic, 0), group, name)
    await lane.open()
    with pytest.raises(UnknownTopic):
        await lane.commit([out(topic, b"v"), out("nowhere", b"v")], 1)
    await lane.close()
    assert await committed(broker, Partition(topic, 0), group, name) is None
    assert await read_all(broker, topic) == []


async def test_committed_records_reach_a_waiting_source(broker: Broker) -> None:
    topic = await new_topic(broker)
    lane = broker.lane(Partition(topic, 0), fresh("group"), fresh("id"))
    await lane.open()
    async with member(broker, fresh("group"), topic) as one:
        waiting = asyncio.create_task(one.take(3))
        await lane.commit([out(topic, b"%d" % i) for i in range(3)], 1)
        assert values((await waiting)[Partition(topic, 0)]) == [b"0", b"1", b"2"]
    await lane.close()


# Sources


async def test_where_a_partition_starts(broker: Broker) -> None:
    topic = await new_topic(broker)
    for i in range(4):
        await publish(broker, out(topic, b"%d" % i))
        await asyncio.sleep(0.002)
    times = [message.timestamp_ms for message in await read_all(broker, topic)]
    assert times == sorted(set(times))
    partition = Partition(topic, 0)
    async with member(broker, fresh("group"), topic) as one:
        assert await one.source.start_offset(partition, Start("earliest")) == 0
        assert await one.source.start_offset(partition, Start("latest")) == 4
        assert await one.source.start_offset(partition, Start("time", times[2])) == 2
        assert await one.source.start_offset(partition, Start("time", times[2] + 1)) == 3
        assert await one.source.start_offset(partition, Start("time", times[3] + 60_000)) == 4
        assert await one.source.offset_at(partition, 0) == 0
        assert await one.source.end_offset(partition) == 4


async def test_partitions_come_paused_and_nothing_is_delivered_before_resume(broker: Broker) -> None:
    topic = await new_topic(broker, 2)
    await publish(broker, *(out(topic, b"%d" % i, partition=i % 2) for i in range(8)))
    first, second = Partition(topic, 0), Partition(topic, 1)
    async with member(broker, fresh("group"), topic, start_at=None) as one:
        await until(lambda: one.source.assigned() == {first, second})
        assert await one.source.poll(100, 200) == {}
        assert one.source.lag(first) is None
        one.source.seek(first, 2)
        one.source.resume(frozenset({first}))
        assert values((await one.take(2))[first]) == [b"4", b"6"]
        one.source.seek(second, 3)
        one.source.resume(frozenset({second}))
        assert values((await one.take(1))[second]) == [b"7"]


async def test_pause_holds_back_and_resume_and_seek_lose_nothing(broker: Broker) -> None:
    topic = await new_topic(broker)
    partition = Partition(topic, 0)
    await publish(broker, *(out(topic, b"%d" % i) for i in range(10)))
    async with member(broker, fresh("group"), topic) as one:
        assert values((await one.take(3, records_max=3))[partition]) == [b"0", b"1", b"2"]
        one.source.pause(frozenset({partition}))
        assert await one.source.poll(100, 200) == {}
        one.source.resume(frozenset({partition}))
        assert values((await one.take(1, records_max=1))[partition]) == [b"3"]
        one.source.seek(partition, 1)
        assert values((await one.take(9))[partition]) == [b"%d" % i for i in range(1, 10)]


async def test_lag_reaches_zero_behind_the_markers_of_transactions(broker: Broker) -> None:
    topic = await new_topic(broker)
    partition = Partition(topic, 0)
    lane = broker.lane(Partition(topic, 0), fresh("group"), fresh("id"))
    await lane.open()
    await lane.commit([out(topic, b"%d" % i) for i in range(3)], 1)
    async with member(broker, fresh("group"), topic) as one:
        await one.take(3)

        async def caught_up() -> bool:
            await one.source.poll(10, 20)
            return one.source.lag(partition) == 0

        await until(caught_up)
        assert await one.source.end_offset(partition) == 4
    await lane.close()


async def test_an_offset_that_is_not_there_stops_that_partition_alone(broker: Broker) -> None:
    topic = await new_topic(broker, 2)
    gone, good = Partition(topic, 0), Partition(topic, 1)
    await publish(broker, out(topic, b"v", partition=1))
    async with member(broker, fresh("group"), topic, start_at=None) as one:
        one.source.seek(gone, 1_000)
        one.source.seek(good, 0)
        one.source.resume(frozenset({gone, good}))
        got: list[bytes | None] = []
        with pytest.raises(OperatorError, match=f"offset of {topic}/0 = 1000.*riskstream feeds reset"):
            async with asyncio.timeout(WAIT_S):
                while True:
                    got += values((await one.source.poll(10, 1_000)).get(good, ()))
        while not got:
            got += values((await one.take(1))[good])
        assert got == [b"v"]
        one.source.seek(gone, 0)
        one.source.resume(frozenset({gone}))
        await publish(broker, out(topic, b"w", partition=0))
        assert values((await one.take(1))[gone]) == [b"w"]


async def test_seeking_what_is_not_assigned_says_that_the_lane_is_lost(broker: Broker) -> None:
    topic = await new_topic(broker)
    async with member(broker, fresh("group"), topic) as one:
        with pytest.raises(LaneLost):
            one.source.seek(Partition(topic, 9), 0)
        one.source.pause(frozenset({Partition(topic, 9)}))
        one.source.resume(frozenset({Partition(topic, 9)}))
        assert one.source.lag(Partition(topic, 9)) is None


# Groups


async def test_two_members_share_the_partitions_and_none_is_owned_twice(broker: Broker) -> None:
    topic, group = await new_topic(broker, 4), fresh("group")
    diary: list[tuple[str, str, frozenset[Partition]]] = []
    everything = frozenset(Partition(topic, i) for i in range(4))
    first, second = (Member(broker, group, [topic], diary) for _ in range(2))
    stop = asyncio.Event()
    polling = [asyncio.create_task(_keep_polling(one, stop)) for one in (first, second)]
    try:
        await first.start()
        await until(lambda: first.source.assigned() == everything)
        await second.start()
        await until(lambda: len(first.source.assigned()) == len(second.source.assigned()) == 2)
        assert first.source.assigned() | second.source.assigned() == everything
        assert diary[0] == (first.name, "assigned", everything)
        assert diary[1] == (first.name, "revoked", everything)
        await second.source.stop()
        await until(lambda: first.source.assigned() == everything)
        assert _owned_twice(diary) == set()
    finally:
        stop.set()
        await asyncio.gather(*polling)
        await first.source.stop()
        await second.source.stop()
    assert [(name, what) for name, what, _ in diary if name == second.name][-1] == (second.name, "revoked")


async def test_the_new_owner_waits_for_the_old_ones_last_commit(broker: Broker) -> None:
    topic, group, name = await new_topic(broker, 1), fresh("group"), fresh("id")
    partition = Partition(topic, 0)
    await publish(broker, *(out(topic, b"%d" % i) for i in range(6)))
    old = Member(broker, group, [topic], [])
    lane = broker.lane(partition, group, name)
    await lane.open()

    async def drain(_: frozenset[Partition]) -> None:
        await asyncio.sleep(0.1)
        await lane.commit([], 6)
        await lane.close()

    old.on_revoked = drain
    await old.start()
    await old.take(6)
    await old.source.stop()
    async with member(broker, group, topic) as new:
        await until(lambda: new.source.assigned() == {partition})
        successor = broker.lane(partition, group, name)
        assert await successor.open() == Resume(6)
        await successor.close()


async def test_what_a_callback_raises_comes_out_of_poll(broker: Broker) -> None:
    topic = await new_topic(broker)
    source = broker.source(fresh("group"), [topic])

    async def fails(_: frozenset[Partition]) -> None:
        raise ValueError("restore failed")

    try:
        await source.start(fails, _nothing)
        with pytest.raises(ValueError, match="restore failed"):
            async with asyncio.timeout(WAIT_S):
                while True:
                    await source.poll(10, 100)
    finally:
        await source.stop()


async def test_poll_returns_in_time_when_there_is_nothing(broker: Broker) -> None:
    topic = await new_topic(broker)
    async with member(broker, fresh("group"), topic) as one, asyncio.timeout(WAIT_S):
        assert await one.source.poll(10, 0) == {}
        assert await one.source.poll(10, 50) == {}


async def test_confirm_holds_for_the_owner_and_for_nobody_else(broker: Broker) -> None:
    topic, group = await new_topic(broker, 1), fresh("group")
    partition = Partition(topic, 0)
    source = broker.source(group, [topic])
    revoked = asyncio.Event()
    go_on = asyncio.Event()

    async def lost(_: frozenset[Partition]) -> None:
        revoked.set()
        await go_on.wait()

    await source.start(_nothing, lost)
    await until(lambda: source.confirm(partition))
    assert not await source.confirm(Partition(topic, 5))
    rival = broker.source(group, [topic])
    joining = asyncio.create_task(rival.start(_nothing, _nothing))
    await asyncio.wait_for(revoked.wait(), 20)
    assert not await source.confirm(partition)
    go_on.set()
    await joining
    await rival.stop()
    await source.stop()


# Readers


async def test_a_reader_stops_at_the_ends_as_they_were(broker: Broker) -> None:
    topic = await new_topic(broker, 2)
    lane = broker.lane(Partition(topic, 0), fresh("group"), fresh("id"))
    await lane.open()
    await lane.commit([out(topic, b"%d" % i, partition=i % 2) for i in range(6)], 1)
    await read_all(broker, topic, at_least=6)
    got = []
    async with asyncio.timeout(WAIT_S):
        async for message in broker.reader(topic).read():
            got.append(message)
            if len(got) == 1:
                await lane.commit([out(topic, b"later", partition=p) for p in (0, 1)], 2)
    assert sorted(values(got)) == [b"%d" % i for i in range(6)]
    assert len(await read_all(broker, topic, at_least=8)) == 8
    await lane.close()


async def test_a_reader_begins_where_told_and_reads_only_those_partitions(broker: Broker) -> None:
    topic = await new_topic(broker, 3)
    await publish(broker, *(out(topic, b"%d" % i, partition=i % 3) for i in range(12)))
    async with asyncio.timeout(WAIT_S):
        got = [message async for message in broker.reader(topic).read({0: 2, 2: 3, 1: 4})]
        assert sorted(values(got)) == [b"11", b"6", b"9"]
        assert values([message async for message in broker.reader(topic).read({1: 3})]) == [b"10"]


async def test_an_empty_topic_reads_as_nothing(broker: Broker) -> None:
    assert await read_all(broker, await new_topic(broker, 3)) == []


async def test_follow_goes_on_with_what_comes(broker: Broker) -> None:
    topic = await new_topic(broker, 2)
    await publish(broker, out(topic, b"0", partition=0))
    got: list[bytes | None] = []

    async def follow() -> None:
        async for message in broker.reader(topic).follow():
            got.append(message.value)  # noqa: PERF401 - the test looks at the list while it grows

    task = asyncio.create_task(follow())
    await until(lambda: got == [b"0"])
    await publish(broker, out(topic, b"1", partition=1))
    await until(lambda: got == [b"0", b"1"])
    await publish(broker, out(topic, b"2", partition=0))
    await until(lambda: got == [b"0", b"1", b"2"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_follow_begins_where_told(broker: Broker) -> None:
    topic = await new_topic(broker, 2)
    await publish(broker, *(out(topic, b"%d" % i, partition=i % 2) for i in range(6)))
    got: list[bytes | None] = []
    async with asyncio.timeout(WAIT_S):
        async for message in broker.reader(topic).follow({0: 2, 1: 1}):
            got.append(message.value)
            if len(got) == 3:
                break
    assert sorted(value or b"" for value in got) == [b"3", b"4", b"5"]


# State


async def test_a_state_log_gives_the_last_value_of_each_key_in_the_order_of_the_last_write(broker: Broker) -> None:
    topic = await new_topic(broker, 2, **{"cleanup.policy": "compact"})
    lane_of, group, name = Partition(await new_topic(broker), 0), fresh("group"), fresh("id")
    log, lane = broker.state(topic), broker.lane(lane_of, group, name)
    await lane.open()
    assert await log.read(0) == StateRead({}, 0, 0)
    first = await lane.commit([out(topic, b"1", b"a"), out(topic, b"1", b"b"), out(topic, b"1", b"c")], 1)
    assert first == {Partition(topic, 0): 4}
    assert await lane.commit([out(topic, None, b"b"), out(topic, b"2", b"a"), out(topic, b"1", b"d", 1)], 2) == {
        Partition(topic, 0): 7,
        Partition(topic, 1): 2,
    }
    await lane.close()
    assert await committed(broker, lane_of, group, name) == Resume(2)
    read = await log.read(0)
    assert read == StateRead({b"c": b"1", b"a": b"2"}, 5, 7)
    assert read is not None and list(read.records) == [b"c", b"a"]
    assert await log.read(1) == StateRead({b"d": b"1"}, 1, 2)
    assert await log.read(0, known_end=7) is None
    assert await log.read(0, known_end=4) == read


async def test_the_fenced_end_is_past_all_that_the_old_owner_committed_and_none_of_what_he_left_open(
    broker: Broker,
) -> None:
    topic, feed = await new_topic(broker), await new_topic(broker)
    group, name = fresh("group"), fresh("id")
    old, new = (broker.lane(Partition(feed, 0), group, name) for _ in range(2))
    await old.open()
    for number in range(20):
        await old.commit([out(topic, b"%d" % number, b"k%d" % i) for i in range(100)], number + 1)
    left_open = asyncio.create_task(old.commit([out(topic, b"x", b"k%d" % i) for i in range(100)], 99))
    await asyncio.sleep(0)
    resume = await new.open()
    read = await broker.state(topic).read(0)
    with suppress(LaneLost):
        await left_open
    assert resume is not None and read is not None
    last = b"x" if resume.offset == 99 else b"19"
    assert set(read.records.values()) == {last}, "state and offset are of the same transaction"
    assert len(read.records) == 100
    await asyncio.gather(old.close(), new.close())


async def test_a_state_log_of_an_unknown_topic_is_the_operators_to_mend(broker: Broker) -> None:
    with pytest.raises(UnknownTopic, match="nowhere"):
        await broker.state("nowhere").read(0)


async def _keep_polling(one: Member, stop: asyncio.Event) -> None:
    while not stop.is_set():
        if one.source.assigned():
            await one.source.poll(10, 20)
        else:
            await asyncio.sleep(0.01)


def _owned_twice(diary: list[tuple[str, str, frozenset[Partition]]]) -> set[Partition]:
    """The partitions that were given to a member while another still had them."""
    owned: dict[Partition, str] = {}
    twice: set[Partition] = set()
    for name, what, partitions in diary:
        for partition in partitions:
            if what == "assigned":
                twice |= {partition} if owned.get(partition, name) != name else set()
                owned[partition] = name
            elif owned.get(partition) == name:
                del owned[partition]
    return twice


async def _nothing(_: frozenset[Partition]) -> None:
    pass


async def test_offsets_are_found_by_time_in_every_partition(broker: Broker) -> None:
    topic = await new_topic(broker, 2)
    await publish(broker, *(out(topic, value, partition=at) for at, value in ((0, b"a"), (0, b"b"), (1, b"c"))))
    reader = broker.reader(topic)
    first, second, third = [message async for message in reader.read()]
    later = max(message.timestamp_ms for message in (first, second, third)) + 1
    assert await reader.offsets_at(0) == {0: 0, 1: 0}
    assert await reader.offsets_at(later) == {0: 2, 1: 1}
