"""What the embedded broker has beside the ports: an injected clock, faults and rebalances on command."""

from __future__ import annotations

import pytest

from riskstream.core.errors import LaneLost
from riskstream.core.ports import Resume
from riskstream.core.records import Output, Partition
from riskstream.kafka.memory import MemoryBroker
from riskstream.kafka.outputs import murmur2
from tests.support.brokers import Member, fresh, member, new_topic, publish, read_all, values


class Clock:
    """A time that a test turns by hand."""

    now_ms = 1_000

    def __call__(self) -> int:
        return self.now_ms


async def test_records_get_the_time_of_the_injected_clock() -> None:
    clock = Clock()
    broker = MemoryBroker(clock)
    topic = await new_topic(broker)
    await publish(broker, Output(topic, b"k", b"1"))
    clock.now_ms = 2_500
    await publish(broker, Output(topic, b"k", b"2"), Output(topic, b"k", b"3"))
    assert [message.timestamp_ms for message in await read_all(broker, topic)] == [1_000, 2_500, 2_500]


async def test_a_transaction_takes_one_offset_more_in_each_partition() -> None:
    broker = MemoryBroker(Clock())
    topic = await new_topic(broker, 2)
    lane = broker.lane(Partition(topic, 0), "group", "id")
    await lane.open()
    for next_offset in (1, 2):
        await lane.commit([Output(topic, b"k", b"v", (), 0)], next_offset)
    assert [message.position.offset for message in await read_all(broker, topic)] == [0, 2]
    assert (broker.log(Partition(topic, 0)).end, broker.log(Partition(topic, 1)).end) == (4, 0)


async def test_a_commit_fails_once_when_told() -> None:
    broker = MemoryBroker(Clock())
    topic = await new_topic(broker)
    partition = Partition(topic, 0)
    lane = broker.lane(partition, "group", "id")
    await lane.open()
    broker.fail_commits(partition)
    with pytest.raises(LaneLost, match="told to fail"):
        await lane.commit([Output(topic, b"k", b"lost")], 1)
    successor = broker.lane(partition, "group", "id")
    assert await successor.open() is None
    await successor.commit([Output(topic, b"k", b"kept")], 1)
    assert values(await read_all(broker, topic)) == [b"kept"]
    assert broker.group("group").committed == {partition: Resume(1)}


async def test_a_rebalance_on_command_takes_and_gives_everything() -> None:
    broker = MemoryBroker(Clock())
    topic, group = await new_topic(broker, 2), fresh("group")
    async with member(broker, group, topic) as one:
        await broker.rebalance(group)
        both = frozenset({Partition(topic, 0), Partition(topic, 1)})
        assert [(what, partitions) for _, what, partitions in one.diary] == [
            ("assigned", both),
            ("revoked", both),
            ("assigned", both),
        ]


async def test_ranges_keep_the_same_numbers_of_two_topics_together() -> None:
    broker = MemoryBroker(Clock())
    signals, rollups, group = await new_topic(broker, 3), await new_topic(broker, 3), fresh("group")
    members = [Member(broker, group, [signals, rollups], []) for _ in range(2)]
    for one in members:
        await one.start()
    numbers = [
        {t: {p.partition for p in one.source.assigned() if p.topic == t} for t in (signals, rollups)} for one in members
    ]
    assert numbers == [{signals: {0, 1}, rollups: {0, 1}}, {signals: {2}, rollups: {2}}]


# Hashes from the tests of Kafka's Java client.
@pytest.mark.parametrize(
    ("key", "hash32"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_keys_are_hashed_as_java_does(key: bytes, hash32: int) -> None:
    assert murmur2(key) == hash32 % 2**32
