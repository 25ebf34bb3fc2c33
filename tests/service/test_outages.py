"""A broker that goes away, fills its disk or loses a topic under a daemon at work: told in a line, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest
from aiokafka import AIOKafkaProducer

from dev.kafka.serve import CannotServe, KafkaServer, fetch
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.writing import discard, seen
from riskstream.scoring.plain import ConstantScorer
from riskstream.sections import Feed, Http, Stages, Watch
from riskstream.sections.kafka import Kafka, Topics
from riskstream.service import parts
from riskstream.service.daemon.app import Daemon
from riskstream.service.stages import gaps
from riskstream.service.stages import stage as stages
from riskstream.settings import Settings
from riskstream.telemetry import Metrics, Telemetry
from tests.conftest import CI, REQUIRED
from tests.service.daemons import RULES, WATCHLIST
from tests.support.brokers import delete_topic
from tests.support.until import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]
DISK_MB = 128
PATIENCE_S = 150.0
SKIPPED = "while trying to send transaction markers"
"""What Kafka says where it starts again alone and calls a transaction complete without its markers (docs/kafka.md)."""
Delivery = Literal["exactly_once", "at_least_once"]
FEEDS = ("wire", "posts")
STAGES = ("score", "watch", "rollups")
GROUP_RULE = """
[[rule]]
name = "news-of-a-group"
by = "group"
aggregate = "count"
window_s = 3600
limits = { watch = 1 }
"""
ALERTS = 2
"""About the entity, and about its group."""
Lose = Callable[[KafkaServer, Path], None]


class Site:
    """A broker of this test's own, a daemon on it, and documents that keep coming to two feeds."""

    def __init__(self, folder: Path, disk: Path, delivery: Delivery = "exactly_once") -> None:
        (folder / "watchlist.csv").write_text(WATCHLIST)
        (folder / "rules.toml").write_text(RULES + GROUP_RULE)
        self.disk, self.server = disk, KafkaServer(disk, heap_mb=300)
        self.settings = Settings(
            app="outage",
            feed=tuple(Feed(name=name, topic=name, start="earliest", partitions=2) for name in FEEDS),
            kafka=Kafka(
                bootstrap_servers=self.server.bootstrap_servers,
                delivery=delivery,
                transaction_calls_ms=4_000,
                transaction_timeout_ms=5_000,
                session_timeout_ms=6_000,
                rebalance_timeout_ms=6_000,
            ),
            topics=Topics(partitions=2, replication=1),
            stages=Stages(drain_ms=2_000, grace_ms=8_000, rejoin_max_s=2),
            http=Http(port=0),
            watch=Watch(watchlist=folder / "watchlist.csv", rules=folder / "rules.toml"),
        )
        self.telemetry = Telemetry(Metrics())
        self.daemon = Daemon(self.settings, self.telemetry, scorer=ConstantScorer())
        self.publishing: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Site]:
        """All of it, and documents are scored."""
        await asyncio.to_thread(self.server.start)
        self.broker = KafkaBroker(parts.kafka_config(self.settings.kafka, "test"))
        stop = asyncio.Event()
        try:
            await self.broker.create_topics(parts.topics_of(self.settings))
            daemon = asyncio.create_task(self.daemon.run(stop))
            try:
                await self.ready()
                self.publishing = {feed: asyncio.create_task(self._publish(feed)) for feed in FEEDS}
                await self.scored(20)
                yield self
            finally:
                for feed in list(self.publishing):
                    await self.silence(feed)
                stop.set()
                await asyncio.wait_for(daemon, PATIENCE_S)
        finally:
            await self.broker.close()
            self.server.stop(kill=True)

    async def _publish(self, feed: str) -> None:
        arguments = {"bootstrap_servers": self.server.bootstrap_servers, "enable_idempotence": True}
        producer = AIOKafkaProducer(**arguments, request_timeout_ms=int(PATIENCE_S * 1000), linger_ms=5)
        await producer.start()
        try:
            for number in range(1_000_000):
                document = {"id": f"{feed}-{number}", "text": f"Acme item {number}", "source": "s"}
                value = json.dumps({**document, "published_at": time.time_ns() // 1_000_000}).encode()
                (await producer.send(feed, value, partition=number % 2)).add_done_callback(seen)
                await asyncio.sleep(0.01)
        finally:
            await discard(producer)

    async def silence(self, feed: str) -> None:
        """No more documents come to this feed."""
        task = self.publishing.pop(feed)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def ready(self) -> None:
        """Every lane is read."""
        async with asyncio.timeout(PATIENCE_S):
            await self.daemon.health.until([f"{stage}.lanes" for stage in STAGES])

    async def waits(self, *, is_so: bool) -> None:
        """Every stage waits for the broker, or none does."""
        await self.until(lambda: {self.metric("stage_waiting", stage=s) for s in STAGES} == {float(is_so)})

    async def until(self, fact: Callable[[], object]) -> None:
        """A fact that takes what real brokers take."""
        await until(fact, PATIENCE_S, 0.1)

    def metric(self, name: str, **labels: str) -> float:
        return self.telemetry.metrics.registry.get_sample_value(f"riskstream_{name}", labels) or 0.0

    async def scored(self, more: int, feed: str = FEEDS[0]) -> None:
        """So many documents more of a feed."""
        labels = {"feed": feed, "outcome": "scored"}
        goal = self.metric("documents_total", **labels) + more
        await self.until(lambda: self.metric("documents_total", **labels) >= goal)

    async def documents(self, topic: str, field: str) -> Counter[str]:
        """How often a topic holds each document."""
        return Counter([json.loads(m.value or b"")[field] async for m in self.broker.reader(topic).read()])

    @property
    def once(self) -> bool:
        """Whether nothing may come twice: with transactions, where the broker kept to what it had begun."""
        whole = SKIPPED not in (self.disk / "broker.log").read_text()
        return whole and self.settings.kafka.delivery == "exactly_once"

    async def nothing_is_lost_or_twice(self) -> None:
        """Each document of the feeds that there are has a signal, and the entity one alert; none of it twice, where
        that is promised."""
        feeds = list(self.publishing)
        for feed in feeds:
            await self.silence(feed)
        published = sum([await self.documents(feed, "id") for feed in feeds], Counter[str]())
        assert set(published.values()) == {1}

        async def signals() -> Counter[str]:
            found = await self.documents("riskstream.signals", "document_id")
            return Counter({document: count for document, count in found.items() if document.split("-")[0] in feeds})

        async def alerts() -> list[tuple[str, int]]:
            read = [json.loads(m.value or b"") async for m in self.broker.reader("riskstream.alerts").read()]
            return [(alert["alert_id"], alert["sequence"]) for alert in read]

        async def all_there() -> bool:
            return not published - await signals() and len(dict(await alerts())) == ALERTS

        await self.until(all_there)
        once = self.once
        for alert_id in dict(told := await alerts()):
            sequences = [sequence for other, sequence in told if other == alert_id]
            assert (sequences if once else sorted(set(sequences))) == list(range(1, max(sequences) + 1))
        assert (await signals() == published) if once else (set(await signals()) == set(published))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "LOOK_S", 0.5)
    monkeypatch.setattr(stages, "CONFIRMS_MAX", 4)


@pytest.fixture
def _jars() -> None:
    try:
        fetch()
    except CannotServe as error:
        pytest.fail(str(error)) if REQUIRED else pytest.skip(str(error))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory; to mount one takes root."""
    disk, sudo = tmp_path / "disk", ["sudo", "-n"] if os.geteuid() and shutil.which("sudo") else []
    disk.mkdir()
    mount = [*sudo, "mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=777", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stderr) if CI else pytest.skip(f"no file system can be mounted: {done.stderr}")
    yield disk
    subprocess.run([*sudo, "umount", "-l", str(disk)], check=True)


def told(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, object]]:
    """The lines of an event."""
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in lines if line["event"] == name]


async def is_told_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The broker is away: each stage says so in one line, and in `/readyz`."""
    await site.waits(is_so=True)
    lines = told(caplog, "stage waits")
    assert sorted(str(line["stage"]) for line in lines) == sorted(STAGES)
    assert all("no broker can be reached" in str(line["detail"]) for line in lines)
    ready, why = site.daemon.health.ready()
    assert not ready
    assert "no broker can be reached" in why["score.lanes"]


async def goes_on(site: Site) -> None:
    """The broker is back, and nothing is lost or repeated."""
    await asyncio.to_thread(site.server.start)
    await site.ready()
    await site.waits(is_so=False)
    await site.scored(100)
    await site.nothing_is_lost_or_twice()


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
@pytest.mark.usefixtures("_jars")
async def test_brokers_that_are_all_away_are_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, delivery: Delivery
) -> None:
    caplog.set_level("INFO", "riskstream")
    async with Site(tmp_path, tmp_path / "broker", delivery).running() as site:
        site.server.stop(kill=True)
        await is_told_once(site, caplog)
        await goes_on(site)
        transactional = (await site.broker._cluster._connected()).list_topics()
        assert ("__transaction_state" in await transactional) is (delivery == "exactly_once")


@pytest.mark.disk
@pytest.mark.usefixtures("_jars")
async def test_a_full_disk_at_the_broker_is_waited_for(
    tmp_path: Path, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "riskstream")
    async with Site(tmp_path, small_disk).running() as site:
        filler = small_disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(100_000)):
                pass
        await is_told_once(site, caplog)
        filler.unlink()
        site.server.stop(kill=True)
        await goes_on(site)


@pytest.mark.usefixtures("_jars")
async def test_a_topic_that_is_deleted_under_load_is_named_and_the_other_feed_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "riskstream")
    async with Site(tmp_path, tmp_path / "broker").running() as site:
        await site.scored(20, "posts")
        await delete_topic(site.broker, "posts")
        await site.until(lambda: site.metric("gaps", stage="score", topic="posts", reason="deleted"))
        assert "posts" in site.daemon.health.why_not("score.lanes")
        assert "the topic is not on the broker any more" in site.daemon.health.why_not("score.lanes")
        await site.silence("posts")
        await site.scored(100)
        await site.nothing_is_lost_or_twice()
