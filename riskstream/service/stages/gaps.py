"""The lanes of one stage that cannot go on, and the looks that find them.

    at opening          the topic's id is not the one of the commit  ─┐
    at a fetch          the offset is not held                        ├─► Gap ─► that lane stops, the others go on
    every `LOOK_S`      the topic is gone, or made anew               ─┘

Rule 1. A topic counts as gone when two looks in a row miss it: a broker that has just started may not know it yet.
Rule 2. A broker that does not answer says nothing about gaps. After `AWAY_LOOKS` of them in a row the membership ends:
        a stage that has nothing in flight would not notice otherwise that all brokers are away.
Rule 3. A topic that is gone is left out of the next membership, so that it keeps no other lane from being read.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from riskstream.core import gaps
from riskstream.core.errors import BrokerUnreachable
from riskstream.core.gaps import Gap
from riskstream.core.ports import Broker, Source
from riskstream.core.records import Partition
from riskstream.kafka.errors import OffsetGone
from riskstream.service.stages.lanes import LaneRun

LOOK_S = 5.0
"""One small request for a whole stage."""
LOOKS = 2
AWAY_LOOKS = 3
"""As long as a session lasts by default: the group has given our lanes away by then, or will when it is back."""

Found = Callable[[Gap], None]


class Gaps:
    """What is known of the topics of one stage. `runs` are its lanes as they come and go."""

    def __init__(self, broker: Broker, topics: Iterable[str], runs: Mapping[Partition, LaneRun]) -> None:
        self._broker, self._topics, self._runs = broker, tuple(topics), runs
        self._lanes: dict[Partition, Gap] = {}
        self._gone: dict[str, Gap] = {}
        self._ids: dict[Partition, str] = {}
        self._missed: Counter[str] = Counter()
        self._unanswered = 0

    def __contains__(self, partition: Partition) -> bool:
        return partition in self._lanes

    @property
    def all(self) -> list[Gap]:
        """Every gap that is known now; of a topic that is gone one is enough."""
        topics = {gap.partition.topic for gap in self._lanes.values()}
        return [*self._lanes.values(), *(gap for topic, gap in self._gone.items() if topic not in topics)]

    def add(self, gap: Gap) -> None:
        """This lane has stopped."""
        self._lanes[gap.partition] = gap
        if gap.reason == "deleted":
            self._gone[gap.partition.topic] = gap

    def closed(self, partition: Partition) -> None:
        """The lane is not ours any more, and its gap somebody else's."""
        self._lanes.pop(partition, None)
        self._ids.pop(partition, None)

    async def at_open(self, partition: Partition, offset: int | None, metadata: str) -> tuple[Gap | None, str]:
        """The gap of a lane that stands at a committed offset (None: it never committed), and what is to be kept beside
        its next ones. Raises BrokerUnreachable."""
        ids = await self._broker.topic_ids([partition.topic])
        there, before = ids.get(partition.topic), gaps.topic_of(metadata)
        gap = None if offset is None and there is not None else gaps.of_topic(partition, offset or 0, before, there)
        if gap is None and there is not None:
            self._ids[partition] = there
            self._gone.pop(partition.topic, None)
        return gap, gaps.kept(there or "") or metadata

    async def at_fetch(self, source: Source, gone: OffsetGone, found: Found) -> None:
        """Find the gap behind a refused fetch. Where the broker holds the offset after all, it is sought again, and the
        lane resumed in its turn. Raises LaneLost."""
        gap = gaps.out_of_bounds(gone.partition, gone.offset, await source.bounds(gone.partition))
        if gap is not None:
            found(gap)
        elif gone.partition in source.assigned():
            source.seek(gone.partition, gone.offset)

    async def readable(self) -> list[str]:
        """The topics to read: those that are not gone. Raises BrokerUnreachable."""
        there = await self._broker.topic_ids(self._topics)
        for topic in [topic for topic in self._gone if topic in there]:
            del self._gone[topic]
        return sorted(topic for topic in self._topics if topic not in self._gone)

    async def watch(self, found: Found) -> None:
        """Look again and again, until cancelled. Raises BrokerUnreachable where all brokers stay away."""
        self._unanswered = 0
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look(found)

    async def look(self, found: Found) -> None:
        """One look at all topics. Raises BrokerUnreachable where the last `AWAY_LOOKS` had no answer."""
        try:
            there = await self._broker.topic_ids(self._topics)
        except BrokerUnreachable:
            self._unanswered += 1
            if self._unanswered >= AWAY_LOOKS:
                raise
            return
        self._unanswered = 0
        for topic in self._topics:
            self._missed[topic] = 0 if topic in there else self._missed[topic] + 1
            if topic not in there and self._missed[topic] < LOOKS:
                continue
            self._compare(topic, there.get(topic), found)

    def _compare(self, topic: str, there: str | None, found: Found) -> None:
        lanes = {p: run.next_offset for p, run in self._runs.items() if p.topic == topic and run.phase == "ready"}
        if there is None and topic not in self._gone and not lanes:
            lanes = {Partition(topic, 0): 0}
        for partition, offset in lanes.items():
            gap = gaps.of_topic(partition, offset, self._ids.get(partition, ""), there)
            if gap is not None and partition not in self._lanes:
                found(gap)
