"""What both brokers tell of a gap: what is held, under which id, and whether a group is at work."""

from __future__ import annotations

import pytest

from riskstream.core.gaps import Bounds
from riskstream.core.ports import Broker, Start, TopicInfo
from riskstream.core.records import Output, Partition
from riskstream.kafka.errors import OffsetGone
from tests.support.brokers import delete_topic, expire, fresh, member, new_topic, publish, values


async def fill(broker: Broker, topic: str, count: int) -> None:
    await publish(broker, *(Output(topic, None, b"%d" % number, (), 0) for number in range(count)))


async def test_what_is_held_begins_behind_what_expired(broker: Broker) -> None:
    topic = await new_topic(broker)
    partition = Partition(topic, 0)
    await fill(broker, topic, 5)
    assert await broker.reader(topic).bounds() == {0: Bounds(0, 5)}
    await expire(broker, partition, 3)
    assert await broker.reader(topic).bounds() == {0: Bounds(3, 5)}
    async with member(broker, fresh("group"), topic, start_at=None) as one:
        assert await one.source.bounds(partition) == Bounds(3, 5)
        assert await one.source.start_offset(partition, Start("earliest")) == 3
        one.source.seek(partition, 1)
        one.source.resume(frozenset({partition}))
        with pytest.raises(OffsetGone, match=f"riskstream feeds reset --topic {topic} --partition 0"):
            await one.take(1)
        one.source.seek(partition, 3)
        one.source.resume(frozenset({partition}))
        assert values((await one.take(2))[partition]) == [b"3", b"4"]


async def test_a_topic_that_is_made_again_has_another_id(broker: Broker) -> None:
    topic, other = await new_topic(broker), await new_topic(broker)
    before = await broker.topic_ids([topic, other, "none"])
    assert set(before) == {topic, other}
    assert len(set(before.values())) == 2
    await delete_topic(broker, topic)
    await broker.create_topics([TopicInfo(topic, 1)])
    after = await broker.topic_ids([topic, other])
    assert after[topic] not in ("", before[topic])
    assert after[other] == before[other]


async def test_the_members_of_a_group_are_counted(broker: Broker) -> None:
    topic, group = await new_topic(broker), fresh("group")
    assert await broker.members(group) == 0
    async with member(broker, group, topic):
        assert await broker.members(group) == 1
    assert await broker.members(group) == 0
