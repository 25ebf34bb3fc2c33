"""`make chaos`: documents through three pods on three brokers while processes, brokers, lines fail; then a checker.

    publisher ─► feed ─► pods (faults.py) ─► signals, alerts, dead letters ─► reader of committed records ─► OUT/*.jsonl

    python -m tests.chaos.run [--seed S] [--documents N] [--out DIR] [--over-s S] [--faults kill,pause,…]

The last line is JSON, made by the checker from the files alone. Exit code 0 where nothing is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

import aiohttp
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from dev.kafka.serve import free_port
from tests.chaos import checker
from tests.chaos.cluster import KafkaCluster
from tests.chaos.documents import Mix, entries, headers, limits_for, rules_toml, value, watchlist_csv
from tests.chaos.faults import Faults
from tests.chaos.files import Record, Run
from tests.chaos.pods import Diary, PodProcess, now_ms

PODS, SPARE = ("POD1", "POD2", "POD3"), "POD4"
FEED, SIGNALS, ALERTS, DEAD = "feed", "signals", "alerts", "dead"
PARTITIONS = {FEED: 6, SIGNALS: 6, ALERTS: 6, DEAD: 1}
SETTLE_S_MAX = 600.0
QUIET_S = 15.0
FAULTS_S_MAX = 3_600.0
"""Every kind once, or 24 restarts, on a machine that is slow; a run that hangs ends."""
CONFIG = """
app = "chaos"
feed = [{{ name = "feed", topic = "feed", start = "earliest", partitions = {feed_partitions} }}]
[kafka]
bootstrap_servers = "{bootstrap}"
[topics]
signals = "signals"
alerts = "alerts"
dead_letters = "dead"
partitions = {signal_partitions}
[reviews]
enabled = false
[watch]
watchlist = "{folder}/watchlist.csv"
rules = "{folder}/rules.toml"
[http]
port = {port}
open = true
[log]
level = "INFO"
format = "json"
"""


class Site:
    """Brokers, pods and files of one run."""

    def __init__(self, seed: int, documents: int, over_s: float, out: Path) -> None:
        self.seed, self.documents, self.over_s, self.out = seed, documents, over_s, out
        self.rng = random.Random(f"faults-{seed}")
        self.limits = limits_for(documents)
        self.cluster = KafkaCluster(out / "brokers", [*PODS, SPARE])
        self.members = Diary(out / "members.jsonl")
        self.pods = {name: self._pod(name) for name in PODS}
        self.spare = self._pod(SPARE)
        self.published = asyncio.Event()
        self.expected: set[str] = set()
        self.seen: set[str] = set()
        self.last_seen_ms = 0
        (out / "watchlist.csv").write_text(watchlist_csv())
        (out / "rules.toml").write_text(rules_toml(self.limits))
        run = Run(seed, documents, SIGNALS, ALERTS, DEAD, self.limits)
        (out / "run.json").write_bytes(msgspec.json.encode(run))

    def _pod(self, name: str) -> PodProcess:
        config, port = self.out / f"{name}.toml", free_port()
        config.write_text(
            CONFIG.format(
                bootstrap=self.cluster.bootstrap_of(name),
                folder=self.out,
                port=port,
                feed_partitions=PARTITIONS[FEED],
                signal_partitions=PARTITIONS[SIGNALS],
            )
        )
        return PodProcess(name, config, port, self.out, self.members)

    async def run(self, wanted: Sequence[str]) -> None:
        """All of it."""
        await self.cluster.start()
        await self._create_topics()
        diary = Diary(self.out / "faults.jsonl")
        ids = [f"chaos.score.feed.{n}" for n in range(PARTITIONS[FEED])]
        faults = Faults(self.rng, self.cluster, self.pods, self.spare, diary, ids)
        with (self.out / "outputs.jsonl").open("w") as outputs:
            watching = [asyncio.create_task(self._read(outputs)), asyncio.create_task(self._look())]
            for pod in self.pods.values():
                pod.start()
            for pod in self.pods.values():
                await pod.ready()
            say("three pods are ready; publishing begins")
            publishing = asyncio.create_task(self._publish(self._kills(wanted)))
            await faults.run(wanted or list(faults.kinds), self.published)
            await publishing
            say("published; no more faults")
            await self._inputs()
            await self._settle()
            for pod in self.pods.values():
                await pod.stop()
            await self._settle(QUIET_S / 4)
            for task in watching:
                task.cancel()
            await asyncio.wait(watching)
        texts = sum(pod.deaths for pod in self.pods.values())
        diary.write(kind="text", what="processes that a text ended", from_ms=0, to_ms=0, committed=0, count=texts)

    async def stop(self) -> None:
        """End every process."""
        for pod in [*self.pods.values(), self.spare]:
            if pod.pid:
                await pod.stop()
        await self.cluster.stop()

    async def _create_topics(self) -> None:
        create = [sys.executable, "-m", "riskstream", "topics", "create", "--config", str(self.out / "POD1.toml")]
        process = await asyncio.create_subprocess_exec(*create, stdout=asyncio.subprocess.DEVNULL)
        if await process.wait():
            raise SystemExit("chaos: the topics could not be created")

    def _kills(self, wanted: Sequence[str]) -> int:
        """How many texts end a process. None where one process is to be watched from the beginning to the end."""
        return 0 if "restarts" in wanted else 2 if self.documents >= 10_000 else 1

    async def _publish(self, kills: int) -> None:
        rng, started = random.Random(f"publish-{self.seed}"), asyncio.get_running_loop().time()
        producer = AIOKafkaProducer(
            bootstrap_servers=self.cluster.bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            request_timeout_ms=int(SETTLE_S_MAX * 1000),  # it waits through an outage
        )
        await producer.start()
        try:
            every = entries(self.seed, self.documents, Mix(kills=kills))
            for number, entry in enumerate(every):
                due_s = started + self.over_s * number / self.documents
                if (early_s := due_s - asyncio.get_running_loop().time()) > 0.02:
                    await asyncio.sleep(early_s)
                partition = rng.randrange(PARTITIONS[FEED])
                body, kept = value(entry, now_ms()), list(headers(entry))
                await producer.send(FEED, body, key=entry.id.encode(), partition=partition, headers=kept)
            await producer.flush()
        finally:
            await producer.stop()
            self.published.set()

    async def _read(self, outputs: TextIO) -> None:
        encode = msgspec.json.Encoder().encode
        async with reading(self.cluster.bootstrap_servers, [SIGNALS, ALERTS, DEAD]) as consumer:
            while True:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    self.last_seen_ms = now_ms()
                    for record in batch:
                        outputs.write(encode(_record(record, self.last_seen_ms)).decode() + "\n")
                        if record.topic == SIGNALS:
                            self.seen.add(msgspec.json.decode(record.value)["signal_id"])

    async def _inputs(self) -> None:
        """What the feed holds is what went in: a producer's retries and all."""
        encode = msgspec.json.Encoder().encode
        async with reading(self.cluster.bootstrap_servers, [FEED]) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            with (self.out / "inputs.jsonl").open("wb") as inputs:
                while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                    for batch in (await consumer.getmany(timeout_ms=200)).values():
                        for record in batch:
                            line = _record(record, record.timestamp)
                            inputs.write(encode(line) + b"\n")
                            self.expected |= checker.signals_of(line)

    async def _settle(self, quiet_s: float = QUIET_S) -> None:
        """Everything that must come has, and then nothing for a while."""
        deadline = asyncio.get_running_loop().time() + SETTLE_S_MAX
        while asyncio.get_running_loop().time() < deadline:
            if self.expected <= self.seen and now_ms() - self.last_seen_ms > quiet_s * 1000:
                return
            await asyncio.sleep(0.5)

    async def _look(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                await asyncio.gather(*(pod.look(session) for pod in [*self.pods.values(), self.spare]))
                await asyncio.sleep(1.0)


@asynccontextmanager
async def reading(bootstrap_servers: str, topics: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of committed records, all partitions of these topics, from their beginning."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4_000_000,
    )
    await consumer.start()
    try:
        every = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS[topic])]
        consumer.assign(every)
        await consumer.seek_to_beginning(*every)
        yield consumer
    finally:
        await consumer.stop()


def _record(record: object, seen_ms: int) -> Record:
    texts = {name: data.decode() for name, data in record.headers}  # type: ignore[attr-defined]
    key, body = record.key or b"", record.value or b""  # type: ignore[attr-defined]
    where = (record.topic, record.partition, record.offset)  # type: ignore[attr-defined]
    return Record(*where, key.decode(), body.decode(errors="replace"), texts, seen_ms)


def say(line: str) -> None:
    """For a person who waits."""
    print(f"chaos: {line}", file=sys.stderr, flush=True)


async def work(given: argparse.Namespace) -> None:
    """One run, its files left in `--out`."""
    site = Site(given.seed, given.documents, given.over_s or max(240.0, given.documents / 400), given.out)
    try:
        async with asyncio.timeout(FAULTS_S_MAX + site.over_s + 2 * SETTLE_S_MAX):
            await site.run([kind for kind in given.faults.split(",") if kind])
    finally:
        await site.stop()


def main() -> int:
    """The command line."""
    about = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    about.add_argument("--seed", type=int, help="what decides documents and faults; default: nobody knows beforehand")
    about.add_argument("--documents", type=int, default=100_000, help="how many (100,000)")
    about.add_argument("--out", type=Path, default=Path(".cache/chaos"), help="where the files go (.cache/chaos/SEED)")
    about.add_argument("--over-s", type=float, help="how long publishing takes; default: 400 a second, 240 s at least")
    about.add_argument("--faults", default="", help="only these kinds; default: all but outage and restarts")
    given = about.parse_args()
    given.seed = int.from_bytes(os.urandom(4)) if given.seed is None else given.seed
    given.out = (given.out / str(given.seed)).resolve()
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers that are away are what this is about
    say(f"seed {given.seed}, {given.documents} documents, files in {given.out}")
    asyncio.run(work(given))
    shutil.rmtree(given.out / "brokers")
    return checker.judge(given.out)


if __name__ == "__main__":
    sys.exit(main())
