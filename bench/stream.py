"""The same job exactly-once in riskstream, Quix Streams and faust-streaming, on one real Kafka, in alternating rounds.

    python -m bench.stream [--lanes 8 32 128] [--commit-ms 100 1000] [--documents 20000] [--per-s 1000] [--rounds 1]

    a round, for each lanes × commit interval:   peer a, peer b, peer c   →   b, c, a   →   …
    a peer:   start ─► some documents, until it runs ─► stopped while a backlog is written ─► the backlog, read to its
              end ─► a stream of `--per-s` documents ─► end

The job is `bench/streams/job.py`: JSON to document, entities, a fixed score, the signal's JSON; a peer `-bare` does the
least of it. All write with acks = all and lz4, commit at the same interval, and read and write as many partitions.
A phase that takes longer than 40 s is cut: its rate is of what was done, and it has no latencies.

docs/s     of the backlog, from the moment that the peer is let go to its last commit, by the group's offsets
p50, p99   milliseconds from the broker's append time of a document to a committed reader's reading of its signal
CPU s/M    seconds of the peer, and of the broker, for a million documents of the backlog
start s    from the program's start to its first commit
wrong      signals that a committed reader saw twice or never, of both phases; anything but 0 is a failure of the peer

faust-streaming and Quix Streams want other versions of what we pin, so they live in an environment of their own, which
`make bench` makes: `.cache/peers`, requirements/peers.txt.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from bench.rounds import table
from bench.streams.job import documents
from bench.streams.meter import Child, cpu_s, memory_mb
from bench.streams.reading import committed_reader, latencies, wrong
from dev.kafka.serve import KafkaServer
from riskstream.cli_support import run_async
from riskstream.core.ports import TopicInfo
from riskstream.core.records import Output
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.config import KafkaConfig

ROOT = Path(__file__).resolve().parent.parent
PEERS_PYTHON = ROOT / ".cache" / "peers" / "bin" / "python"
PEERS = {
    "riskstream": ("riskstream",),
    "quix": ("quix", "signal"),
    "quix-bare": ("quix", "bare"),
    "faust": ("faust", "signal"),
    "faust-bare": ("faust", "bare"),
}
"""Name → the program of `bench/streams/with_*.py`, and its job."""
PHASE_S_MAX, WARM_S, CHUNK, TICK_S = 40.0, 2.0, 2_000, 0.01


class Cell(msgspec.Struct, frozen=True):
    """One peer under one load."""

    peer: str
    lanes: int
    commit_ms: int

    @property
    def name(self) -> str:
        return f"{self.peer}-{self.lanes}-{self.commit_ms}"


class Bench:
    """A Kafka, and what is asked of every peer."""

    def __init__(self, server: KafkaServer, folder: Path, *, backlog: int, per_s: int, seconds: float) -> None:
        self._server, self._folder = server, folder
        self._backlog, self._per_s, self._seconds = backlog, per_s, seconds
        self._config = KafkaConfig(bootstrap_servers=server.bootstrap_servers)
        self._broker, self._admin = KafkaBroker(self._config), AIOKafkaAdminClient(**self._config.connection())

    async def start(self) -> None:
        """Connect."""
        await self._admin.start()

    async def measure(self, cell: Cell, number: int) -> dict[str, Any]:
        """Both phases of a peer."""
        read, write = f"in-{number}-{cell.name}", f"out-{number}-{cell.name}"
        append = {"message.timestamp.type": "LogAppendTime"}
        topics = [TopicInfo(read, cell.lanes, 1, append), TopicInfo(write, cell.lanes, 1, append)]
        await self._broker.create_topics([*topics, TopicInfo(f"{write}.dead", 1, 1, append)])
        for topic in (read, write):  # that it is there does not mean that each partition has its leader
            async with committed_reader(self._config, topic, cell.lanes) as consumer:
                await consumer.end_offsets(consumer.assignment())
        publisher = await self._broker.publisher()
        group = f"g{number}-{cell.name}"
        program, *job = PEERS[cell.peer]
        committed = f"{group}.score" if program == "riskstream" else group
        python = sys.executable if program == "riskstream" else str(PEERS_PYTHON)
        names = [self._server.bootstrap_servers, read, write, group, str(cell.commit_ms), *job]
        child = Child([python, "-m", f"bench.streams.with_{program}", *names], self._folder / f"{cell.name}.log")
        try:
            found = await self._backlogged(child, publisher, committed, read, cell.lanes)
            if not found["cut"]:
                found |= await self._streamed(child, publisher, read, write, cell)
            found["memory_mb"] = memory_mb(child.pid)
        finally:
            await asyncio.to_thread(child.end)
            await publisher.close()
        expected = None if found["cut"] else cell.lanes + self._backlog + found.pop("sent")
        found["wrong"] = await wrong(self._config, write, cell.lanes, expected)
        return {"peer": cell.peer, "lanes": cell.lanes, "commit_ms": cell.commit_ms, **found}

    async def _backlogged(self, child: Child, publisher: Any, group: str, topic: str, lanes: int) -> dict[str, Any]:
        """From the moment that it is let go to its last commit."""
        began = time.monotonic()
        await publisher.send([Output(topic, None, one, (), i) for i, one in enumerate(documents(lanes, wall_ms()))])
        if await self._until(child, group, topic, lanes, lanes) < lanes:
            raise RuntimeError(f"it did not begin: {child.talk()}")
        start_s = time.monotonic() - began
        child.hold()
        made = [Output(topic, None, one, (), i % lanes) for i, one in enumerate(documents(self._backlog, wall_ms(), 2))]
        for at in range(0, len(made), CHUNK):
            await publisher.send(made[at : at + CHUNK])
        wall, cpu, broker = time.monotonic(), cpu_s(child.pid), cpu_s(self._server.pid or 0)
        child.go()
        done = await self._until(child, group, topic, lanes, lanes + self._backlog) - lanes
        return {
            "cut": done < self._backlog,
            "start_s": start_s,
            "per_s": done / (time.monotonic() - wall),
            "cpu_s": (cpu_s(child.pid) - cpu) / done * 1e6,
            "broker_cpu_s": (cpu_s(self._server.pid or 0) - broker) / done * 1e6,
        }

    async def _until(self, child: Child, group: str, topic: str, lanes: int, count: int) -> int:
        """How many documents are committed once they are `count`, or once the time is over."""
        end, done = time.monotonic() + PHASE_S_MAX, 0
        while done < count and time.monotonic() < end:
            child.check()
            await asyncio.sleep(0.02)
            done = await self._committed(group, topic, lanes)
        return done

    async def _committed(self, group: str, topic: str, lanes: int) -> int:
        wanted = [TopicPartition(topic, number) for number in range(lanes)]
        try:
            found = await self._admin.list_consumer_group_offsets(group, partitions=wanted)
        except errors.GroupCoordinatorNotAvailableError:
            return 0
        return sum(max(0, one.offset) for one in found.values())

    async def _streamed(self, child: Child, publisher: Any, read: str, write: str, cell: Cell) -> dict[str, Any]:
        """A steady stream; latencies of what arrives after the first seconds."""
        waits: list[float] = []
        count = round(self._per_s * (WARM_S + self._seconds))
        made = list(documents(count, wall_ms(), seed=3))
        async with committed_reader(self._config, write, cell.lanes) as consumer:
            await consumer.seek_to_end()
            positions = [await consumer.position(tp) for tp in consumer.assignment()]
            assert len(positions) == cell.lanes
            reading = asyncio.create_task(latencies(consumer, waits, count, PHASE_S_MAX))
            cpu, began = cpu_s(child.pid), time.monotonic()
            await self._send(publisher, read, made, cell.lanes)
            await reading
            seconds = time.monotonic() - began
            cpu = cpu_s(child.pid) - cpu
        late = sorted(waits[round(self._per_s * WARM_S) :])
        if len(waits) < count:
            return {"sent": count, "cut": True}
        return {
            "sent": count,
            "p50_ms": late[len(late) // 2],
            "p99_ms": late[int(len(late) * 0.99)],
            "cores": cpu / seconds,
        }

    async def _send(self, publisher: Any, topic: str, made: list[bytes], lanes: int) -> None:
        clock, began, sent = time.monotonic, time.monotonic(), 0
        while sent < len(made):
            due = min(len(made), int((clock() - began) * self._per_s) + 1)
            if due > sent:
                await publisher.send([Output(topic, None, made[i], (), i % lanes) for i in range(sent, due)])
                sent = due
            await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._admin.close()
        await self._broker.close()


def wall_ms() -> int:
    """Now."""
    return time.time_ns() // 1_000_000


def show(runs: list[dict[str, Any]]) -> str:
    """A line for each peer and load."""
    head = [
        "peer",
        "lanes",
        "commit ms",
        "docs/s",
        "p50 ms",
        "p99 ms",
        "CPU s/M",
        "broker CPU s/M",
        "MB",
        "start s",
        "wrong",
    ]
    keys = [
        "peer",
        "lanes",
        "commit_ms",
        "per_s",
        "p50_ms",
        "p99_ms",
        "cpu_s",
        "broker_cpu_s",
        "memory_mb",
        "start_s",
        "wrong",
    ]
    return table(head, [[_shown(run.get(key)) for key in keys] for run in runs])


def _shown(value: float | str | None) -> str:
    return "–" if value is None else value if isinstance(value, str) else f"{value:,.0f}"


async def bench(options: argparse.Namespace) -> list[dict[str, Any]]:
    """All rounds."""
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = KafkaServer(folder / "kafka", heap_mb=1_024)
        server.start()
        work = Bench(server, folder, backlog=options.documents, per_s=options.per_s, seconds=options.seconds)
        try:
            await work.start()
            for number in range(options.rounds):
                for lanes in options.lanes:
                    for commit_ms in options.commit_ms:
                        turn = number % len(options.peers)
                        for peer in options.peers[turn:] + options.peers[:turn]:
                            runs.append(await work.measure(Cell(peer, lanes, commit_ms), number))
                            print(show(runs[-1:]).splitlines()[-1], flush=True)
        finally:
            await work.close()
            server.stop(kill=True)
    return runs


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--commit-ms", type=int, nargs="+", default=[100, 1_000])
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--per-s", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    options = parser.parse_args()
    os.chdir(ROOT)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    found: list[dict[str, Any]] = []

    async def run() -> None:
        found.extend(await bench(options))

    run_async(run())
    print(show(found))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
