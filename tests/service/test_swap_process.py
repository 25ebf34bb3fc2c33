"""A swap under load on a real Kafka: versions promoted, refused and rolled back by command in one running process."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer

from riskstream.registry import store
from tests.service.test_processes import Site
from tests.support import versions
from tests.support.until import until

if TYPE_CHECKING:
    from dev.kafka.serve import KafkaServer

pytestmark = pytest.mark.broker
ENTITY = "Pellham Creek Bancorp"


def samples(address: str, name: str) -> dict[str, float]:
    """The series of a metric that are not 0, by their labels."""
    with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
        found = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", answer.read().decode(), re.MULTILINE)
    return {labels: float(value) for labels, value in found if float(value)}


def status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(answer.status)


class Load:
    """Documents, about 200 a second, until it is told to stop; each has an id of its own."""

    def __init__(self, site: Site) -> None:
        self.site, self.sent = site, 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(bootstrap_servers=self.site.bootstrap)
        await producer.start()
        stop = asyncio.Event()
        task = asyncio.create_task(self._feed(producer, stop))
        try:
            yield
        finally:
            stop.set()
            await task
            await producer.stop()

    async def _feed(self, producer: AIOKafkaProducer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            at = int(time.time() * 1000)
            told = {"id": f"d{self.sent}", "text": f"{ENTITY} {self.sent}", "source": "s", "published_at": at}
            await producer.send_and_wait(self.site.feed, json.dumps(told).encode(), partition=self.sent % 2)
            self.sent += 1
            await asyncio.sleep(0.005)


async def test_versions_come_and_go_under_load_and_every_document_has_one_signal(
    tmp_path: Path, kafka_server: KafkaServer
) -> None:
    root = versions.registry(tmp_path, "1", "5")
    for bad, version in ((versions.damaged, "2"), (versions.other_scores, "3"), (versions.wrong_labels, "4")):
        bad(root, version)
    site = Site(tmp_path, kafka_server)
    site.change('name = "models/tiny/1"', f'root = "{root}"\nname = "tiny@champion"\npoll_s = 0.1\nthreads = 1')
    assert (await site.call("topics", "create"))[0] == 0
    load = Load(site)
    async with site.running() as address, load.running():

        async def read(name: str) -> dict[str, float]:
            return await asyncio.to_thread(samples, address, f"riskstream_{name}")

        async def runs(model: str) -> bool:
            return await read("model_info") == {f'model="{model}"': 1}

        async def more() -> None:
            """A hundred documents are scored from now on."""
            enough = sum((await read("signals_total")).values()) + 100

            async def scored() -> bool:
                return sum((await read("signals_total")).values()) >= enough

            await until(scored)

        await more()
        refused: dict[str, float] = {}
        for version, reason in (("2", "hash"), ("3", "golden"), ("4", "labels")):
            store.set_alias(root, "tiny", store.CHAMPION, version)
            refused[f'reason="{reason}"'] = 1

            async def told() -> bool:
                return await read("model_refused_total") == refused

            await until(told)
            await more()
            assert await runs("tiny@1")
        store.set_alias(root, "tiny", store.CHAMPION, "1")
        assert (await site.call("models", "promote", "tiny@5"))[0] == 0
        await until(lambda: runs("tiny@5"))
        await more()
        assert await asyncio.to_thread(status, f"{address}/readyz") == 200
        assert (await site.call("models", "rollback", "tiny"))[0] == 0
        await until(lambda: runs("tiny@1"))
        await more()
        assert await read("model_refused_total") == refused, "each was tried once"
        stopped = load.sent

        async def all_scored() -> bool:
            return sum((await read("signals_total")).values()) >= stopped

        await until(all_scored)
    signals = await site.read(site.signals)
    ids = [str(signal["document_id"]) for signal in signals]
    assert len(ids) == len(set(ids)), "no document twice"
    assert {f"d{number}" for number in range(stopped)} <= set(ids), "none lost"
    for lane in (0, 1):
        mine = [s for s in signals if str(s["signal_id"]).startswith(f"{site.feed}/{lane}/")]
        models = [str(signal["model"]) for signal in mine]
        assert [model for model, _ in itertools.groupby(models)] == ["tiny@1", "tiny@5", "tiny@1"]
