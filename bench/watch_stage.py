"""The watch stage on a real Kafka: signals a second from topic to committed alerts, state and offsets.

    python -m bench.watch_stage [--signals 60000] [--entities 10000] [--partitions 12]

The daemon runs with this stage alone, on a backlog; its start is counted. The rate is told twice: by the wall clock,
and by the CPU seconds of the process, which says what one free core would do. The broker's own work is not in those.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from bench import load
from dev.kafka.serve import KafkaServer
from riskstream.cli_support import run_async
from riskstream.core.records import Output, Partition
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.cluster import Cluster
from riskstream.kafka.config import KafkaConfig
from riskstream.sections import Http, Watch
from riskstream.sections.kafka import Kafka, Topics
from riskstream.service import parts
from riskstream.service.daemon.app import Daemon
from riskstream.settings import Settings
from riskstream.telemetry import Metrics, Telemetry

CHUNK = 2_000


def settings_in(folder: Path, bootstrap_servers: str, entities: int, partitions: int) -> Settings:
    """A daemon's settings, with its files."""
    (folder / "rules.toml").write_text(load.rules_text(), encoding="utf-8")
    lines = [f"{one.id},{one.name},,all" for one in load.watchlist(entities).values()]
    (folder / "watchlist.csv").write_text("\n".join(["id,name,aliases,groups", *lines]), encoding="utf-8")
    return Settings(
        kafka=Kafka(bootstrap_servers=bootstrap_servers),
        topics=Topics(partitions=partitions, replication=1),
        watch=Watch(rules=folder / "rules.toml", watchlist=folder / "watchlist.csv"),
        http=Http(port=0),
    )


async def committed(cluster: Cluster, group: str, partitions: int) -> int:
    """How far the group is, over all partitions."""
    found = [await cluster.committed(group, Partition(load.TOPIC, number)) for number in range(partitions)]
    return sum(one.offset for one in found if one is not None)


async def bench(signals: int, entities: int, partitions: int) -> None:
    """Start a Kafka, fill it, run the daemon until it has read all."""
    with tempfile.TemporaryDirectory() as folder:
        server = KafkaServer(Path(folder))
        server.start()
        try:
            settings = settings_in(Path(folder), server.bootstrap_servers, entities, partitions)
            config = KafkaConfig(bootstrap_servers=server.bootstrap_servers)
            broker, cluster, stop = KafkaBroker(config), Cluster(config), asyncio.Event()
            await broker.create_topics(parts.topics_of(settings))
            publisher = await broker.publisher()
            messages = list(load.signals(signals, entities))
            for at in range(0, signals, CHUNK):
                await publisher.send([Output(load.TOPIC, m.key, m.value) for m in messages[at : at + CHUNK]])
            await publisher.close()
            del messages
            wall, cpu = time.monotonic(), time.process_time()
            daemon = Daemon(settings, Telemetry(Metrics()), stages=("watch",))
            running = asyncio.create_task(daemon.run(stop))
            while await committed(cluster, "riskstream.watch", partitions) < signals:  # noqa: ASYNC110 - a fact outside
                await asyncio.sleep(0.2)
            wall, cpu = time.monotonic() - wall, time.process_time() - cpu
            stop.set()
            await running
            await cluster.close()
            await broker.close()
        finally:
            server.stop(kill=True)
    print(f"{signals:,} signals in {wall:.1f} s: {signals / wall:,.0f} a second, {signals / cpu:,.0f} a second of CPU")
    found = {"signals": signals, "seconds": wall, "cpu_s": cpu, "per_s": signals / wall, "per_cpu_s": signals / cpu}
    print(json.dumps(found))


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=60_000)
    parser.add_argument("--entities", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, default=12)
    options = parser.parse_args()
    run_async(bench(options.signals, options.entities, options.partitions))


if __name__ == "__main__":
    main()
