"""A whole daemon on the embedded broker, for tests: real parts all through, and a model that costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from opentelemetry.sdk.trace import SpanProcessor

from riskstream.core.clock import parse_ms
from riskstream.core.ports import Scorer
from riskstream.core.records import Headers, Message, Output
from riskstream.kafka.memory import MemoryBroker
from riskstream.scoring.plain import ConstantScorer
from riskstream.sections import Feed, Http, Section, Stages, Watch
from riskstream.service import parts
from riskstream.service.daemon.app import ROLLUPS, Daemon
from riskstream.service.daemon.tracing import Traces
from riskstream.settings import Settings
from riskstream.telemetry import Metrics, Telemetry
from riskstream.telemetry.tracing import Tracing

NOW = parse_ms("2026-03-09T12:00:00Z")
WATCHLIST = "id,name,aliases,groups\nACME,Acme Corp,Acme,makers\nBOLT,Bolt Bank,,banks\n"
RULES = """
[[rule]]
name = "any-news"
aggregate = "count"
window_s = 3600
limits = { watch = 1 }
"""


class Rig:
    """The daemon, its broker, and the clock that both are told."""

    def __init__(
        self,
        folder: Path,
        *,
        feed: Feed,
        scorer: Scorer | None = None,
        traced_by: SpanProcessor | None = None,
        app: str = "riskstream",
        **sections: Section,
    ) -> None:
        (folder / "watchlist.csv").write_text(WATCHLIST)
        (folder / "rules.toml").write_text(RULES)
        self.now_ms = NOW
        self.settings = Settings(
            app=app,
            feed=(feed,),
            stages=Stages(commit_ms=1),
            watch=Watch(watchlist=folder / "watchlist.csv", rules=folder / "rules.toml"),
            **{"http": Http(port=0, open=True), **sections},  # type: ignore[arg-type]
        )
        self.feed = feed
        self.broker = MemoryBroker(now_ms=lambda: self.now_ms)
        self.telemetry = Telemetry(Metrics())
        self.daemon = Daemon(
            self.settings,
            self.telemetry,
            broker=self.broker,
            scorer=scorer or ConstantScorer(),
            now_ms=lambda: self.now_ms,
            traces=Traces(self.settings, Tracing(self.settings.app, 1.0, traced_by)) if traced_by else None,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Rig]:
        """Start, wait until documents are taken, and stop in the end."""
        await self.broker.create_topics(parts.topics_of(self.settings))
        stop = asyncio.Event()
        task = asyncio.create_task(self.daemon.run(stop))
        try:
            async with asyncio.timeout(60):
                await self.daemon.health.until(("model", "score.lanes", "watch.lanes"))
            yield self
        finally:
            stop.set()
            await asyncio.wait_for(task, 60)

    async def send(self, *values: bytes | None, headers: Headers = (("trace", b"1"),)) -> None:
        """Documents into the feed, and wait until all that follows from them is committed."""
        publisher = await self.broker.publisher()
        await publisher.send([Output(self.feed.topic, b"key", value, headers, 0) for value in values])
        await self.settle()

    async def settle(self) -> None:
        """Wait until both stages have committed all there is."""
        async with asyncio.timeout(60):
            await self.broker.settle([f"{self.settings.app}.score"])
            await self.broker.settle([f"{self.settings.app}.watch"])
            if ROLLUPS in self.daemon.running:
                await self.broker.settle([f"{self.settings.app}.{ROLLUPS}"])

    async def read(self, topic: str) -> Sequence[Message]:
        """All committed records of a topic."""
        return [message async for message in self.broker.reader(topic).read()]

    def metric(self, name: str, **labels: str) -> float:
        """A sample of the daemon's metrics; 0 where there is none."""
        return self.telemetry.metrics.registry.get_sample_value(name, labels) or 0.0
