"""The whole way, from a document's append to its alert, on a real Kafka: how fast, how late, how soon after a start.

    python -m bench.endtoend [--model shipped] [--backlog 300] [--seconds 10]       at 25, 50 and 80 % of capacity
    python -m bench.endtoend --model constant --per-s 1000                          at 1,000 documents a second

    start ─► ready ─► first alert ─► a backlog: capacity ─► a steady stream at each rate ─► kill -9 ─► start ─► ready

One daemon with the stages score and watch, defaults, replication 1. The rule fires at the first document of an entity,
without `for`. With the shipped model every document names an entity that no other names; with the constant one every
tenth does, and the others name a thousand whose alerts are open already. A wait is counted from before the document is
given to the producer to the reading of its alert by a committed reader.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from bench.rounds import table
from bench.streams.meter import Child, cpu_s, memory_mb
from bench.streams.reading import committed_reader
from bench.streams.with_alerts import FEED, settings
from bench.texts import texts
from dev.kafka.serve import KafkaServer, free_port
from riskstream.cli_support import run_async
from riskstream.core.reading.stance import stance
from riskstream.core.records import Output
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.config import KafkaConfig
from riskstream.service import parts

ENTITIES, COMMON, FRESH_EVERY = 40_000, 1_000, 10
SHARES = (0.25, 0.5, 0.8)
START_S_MAX, PHASE_S_MAX, TICK_S = 120.0, 60.0, 0.005
RULE = '[[rule]]\nname = "first"\naggregate = "count"\nwindow_s = 3600\nlimit = 1\n'


class Subject(msgspec.Struct):
    """Whom an alert is about."""

    id: str


class Alert(msgspec.Struct):
    """What the reader looks at."""

    subject: Subject


_ALERT = msgspec.json.Decoder(Alert)


class Load:
    """Documents, and the moment at which each that must raise an alert was sent."""

    def __init__(self, model: str) -> None:
        self._texts = [one.text for one in texts(500)[1] if stance(one.text) == "report"]  # a denial raises no alert
        self._fresh_every = 1 if model == "shipped" else FRESH_EVERY
        self._draw, self._count, self._fresh = random.Random(1), 0, COMMON
        self.sent: dict[str, float] = {}

    def documents(self, count: int) -> Iterator[bytes]:
        """The next ones; they are sent when they are asked for."""
        for _ in range(count):
            self._count += 1
            if fresh := self._count % self._fresh_every == 0:
                self._fresh += 1
            number = self._fresh if fresh else self._draw.randrange(COMMON)
            if fresh:
                self.sent[f"E{number:05d}"] = time.monotonic()
            yield self._document(number)

    def common(self) -> list[bytes]:
        """A document for each of the common entities."""
        self._count += COMMON
        return [self._document(number) for number in range(COMMON)]

    def _document(self, number: int) -> bytes:
        name = f"Firm{number:05d} Holdings"
        return msgspec.json.encode(
            {
                "id": f"doc-{number}-{self._count}-{self._draw.random()}",
                "text": f"{name}: {self._draw.choice(self._texts)}",
                "source": f"wire-{self._count % 20}",
                "published_at": time.time_ns() // 1_000_000,
            }
        )


class Bench:
    """A daemon, its broker, and who reads its alerts."""

    def __init__(self, server: KafkaServer, folder: Path, model: str, partitions: int) -> None:
        self._folder, self._model, self._partitions, self._load = folder, model, partitions, Load(model)
        self._server, self._port = server, free_port()
        self._config = KafkaConfig(bootstrap_servers=server.bootstrap_servers)
        self.seen: dict[str, float] = {}
        self._sent = 0
        (folder / "rules.toml").write_text(RULE, encoding="utf-8")
        lines = [f"E{i:05d},Firm{i:05d} Holdings,," for i in range(ENTITIES)]
        (folder / "watchlist.csv").write_text("\n".join(["id,name,aliases,groups", *lines]), encoding="utf-8")

    async def run(self, backlog: int, seconds: float, per_s: float) -> dict[str, Any]:
        """All phases."""
        broker = KafkaBroker(self._config)
        made = settings(self._server.bootstrap_servers, self._folder, self._partitions)
        await broker.create_topics(parts.topics_of(made))
        self._publisher = await broker.publisher()
        async with committed_reader(self._config, made.topics.alerts, self._partitions) as consumer:
            reading = asyncio.create_task(self._read(consumer))
            child = self._start()
            try:
                found = await self._phases(child, backlog, seconds, per_s)
                child.kill()
                await asyncio.sleep(0.2)
                child = self._start()
                found["restart_s"] = await self._ready(child)
                found["alerts_open"] = len(self.seen)
            finally:
                reading.cancel()
                await asyncio.to_thread(child.end)
                await self._publisher.close()
                await broker.close()
        return found

    async def _phases(self, child: Child, backlog: int, seconds: float, per_s: float) -> dict[str, Any]:
        began, found = time.monotonic(), dict[str, Any](model=self._model)
        await self._send(list(self._load.documents(10)))
        found["ready_s"] = await self._ready(child)
        await self._answered()
        found["first_alert_s"] = min(self.seen.values()) - began
        if self._model == "constant":
            await self._send(self._load.common())
            await asyncio.sleep(2)
        started, cpu = time.monotonic(), cpu_s(child.pid)
        await self._send(list(self._load.documents(backlog)))
        await self._answered()
        found["capacity_per_s"] = backlog / (time.monotonic() - started)
        found["cpu_s_per_document"] = (cpu_s(child.pid) - cpu) / backlog
        rates = [per_s] if per_s else [share * found["capacity_per_s"] for share in SHARES]
        found["streams"] = [await self._stream(rate, seconds, child) for rate in rates]
        found["memory_mb"] = memory_mb(child.pid)
        return found

    async def _stream(self, per_s: float, seconds: float, child: Child) -> dict[str, float]:
        """A steady stream; the waits of what came after the first quarter."""
        self._load.sent.clear()
        began, sent, count = time.monotonic(), 0, round(per_s * seconds)
        cpu = cpu_s(child.pid)
        while sent < count:
            if (due := min(count, int((time.monotonic() - began) * per_s) + 1)) > sent:
                await self._send(list(self._load.documents(due - sent)))
                sent = due
            await asyncio.sleep(TICK_S)
        missing = await self._answered()
        seconds = time.monotonic() - began
        waits = [self.seen[who] - at for who, at in self._load.sent.items() if who in self.seen]
        late = sorted(waits[len(waits) // 4 :])
        return {
            "per_s": per_s,
            "alerts": len(late),
            "missing": missing,
            "p50_ms": late[len(late) // 2] * 1000,
            "p99_ms": late[int(len(late) * 0.99)] * 1000,
            "cores": (cpu_s(child.pid) - cpu) / seconds,
        }

    async def _send(self, values: list[bytes]) -> None:
        first, self._sent = self._sent, self._sent + len(values)
        outputs = [Output(FEED, None, one, (), i % self._partitions) for i, one in enumerate(values, first)]
        await self._publisher.send(outputs)

    async def _answered(self) -> int:
        """Wait until each alert that must come is there; how many are not in time."""
        end = time.monotonic() + PHASE_S_MAX
        while (missing := len(self._load.sent.keys() - self.seen.keys())) and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return missing

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            got = await consumer.getmany(timeout_ms=1_000)
            now = time.monotonic()
            for records in got.values():
                for record in records:
                    self.seen.setdefault(_ALERT.decode(record.value).subject.id, now)

    def _start(self) -> Child:
        self._began = time.monotonic()
        names = [self._server.bootstrap_servers, str(self._folder), str(self._partitions), str(self._port), self._model]
        return Child([sys.executable, "-m", "bench.streams.with_alerts", *names], self._folder / "daemon.log")

    async def _ready(self, child: Child) -> float:
        """Seconds from its start to a `/readyz` that says so."""
        while time.monotonic() - self._began < START_S_MAX:
            child.check()
            if await asyncio.to_thread(_answers, f"http://127.0.0.1:{self._port}/readyz"):
                return time.monotonic() - self._began
            await asyncio.sleep(0.1)
        raise RuntimeError(f"not ready after {START_S_MAX:g} s: {child.talk()}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def bench(options: argparse.Namespace) -> dict[str, Any]:
    """One daemon on one Kafka."""
    with tempfile.TemporaryDirectory() as name:
        server = KafkaServer(Path(name) / "kafka", heap_mb=1_024)
        server.start()
        try:
            work = Bench(server, Path(name), options.model, options.partitions)
            return await work.run(options.backlog, options.seconds, options.per_s)
        finally:
            server.stop(kill=True)


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("shipped", "constant"), default="shipped")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--backlog", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--per-s", type=float, default=0.0)
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    found: dict[str, Any] = {}

    async def run() -> None:
        found.update(await bench(options))

    run_async(run())
    streams = found["streams"]
    print(", ".join(f"{key} {value:,.2f}" for key, value in found.items() if isinstance(value, float)))
    print(table(list(streams[0]), [[f"{value:,.1f}" for value in one.values()] for one in streams]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
