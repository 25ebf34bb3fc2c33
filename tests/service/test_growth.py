"""A process that outlives many restarts of others holds no more than before: lanes, tasks and records of theirs go."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from pathlib import Path

from riskstream.sections import Feed
from riskstream.sections.kafka import Topics
from tests.service.daemons import Rig

DOCUMENTS, LANES = 60, 3
FEED = Feed(name="wire", topic="wire", start="earliest", partitions=LANES)


def held() -> Counter[str]:
    """How many objects of our own there are, by kind, and tasks."""
    gc.collect()
    ours = (type(one) for one in gc.get_objects() if str(type(one).__module__).startswith("riskstream."))
    return Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in ours) + Counter(tasks=len(asyncio.all_tasks()))


async def handed_out_again(rig: Rig, times: int) -> None:
    """All lanes are taken and given back, as when a pod comes or goes."""
    for _ in range(times):
        for stage in ("score", "watch"):
            await rig.broker.rebalance(f"{rig.settings.app}.{stage}")
        await rig.daemon.health.until(("score.lanes", "watch.lanes"))


async def test_a_survivor_of_many_rebalances_holds_no_more_than_before(tmp_path: Path) -> None:
    async with Rig(tmp_path, feed=FEED, topics=Topics(partitions=LANES)).running() as rig:
        for number in range(DOCUMENTS):
            text = {"id": f"d{number}", "text": f"Acme item {number}", "source": "s"}
            await rig.send(json.dumps({**text, "published_at": "2026-03-09T11:59:00Z"}).encode())
        await handed_out_again(rig, 10)
        before = held()
        await handed_out_again(rig, 60)
        grown = {kind: (before[kind], count) for kind, count in held().items() if count - before[kind] > 4 * LANES}
    assert sum(before.values()) > DOCUMENTS
    assert grown == {}, "60 rebalances made and ended 720 lanes"
