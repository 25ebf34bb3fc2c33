"""A daemon with the stages score and watch, for the bench of the whole way, with the shipped model or a free one.

python -m bench.streams.with_alerts SERVERS FOLDER PARTITIONS HTTP_PORT shipped|constant
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from bench.streams.job import FixedScorer
from riskstream.cli_support import run_async
from riskstream.sections import Feed, Http, Watch
from riskstream.sections.kafka import Kafka, Topics
from riskstream.service.daemon.app import Daemon
from riskstream.settings import Settings
from riskstream.telemetry import Metrics, Telemetry

FEED = "bench.feed"


def settings(servers: str, folder: Path, partitions: int, port: int = 0) -> Settings:
    """The defaults, on topics with one copy."""
    return Settings(
        feed=(Feed(name="bench", topic=FEED, start="earliest", partitions=partitions),),
        kafka=Kafka(bootstrap_servers=servers),
        topics=Topics(partitions=partitions, replication=1),
        watch=Watch(rules=folder / "rules.toml", watchlist=folder / "watchlist.csv"),
        http=Http(port=port),
    )


async def run(servers: str, folder: Path, partitions: int, port: int, model: str) -> None:
    """Until it is told to end."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    scorer = FixedScorer() if model == "constant" else None
    made = settings(servers, folder, partitions, port)
    await Daemon(made, Telemetry(Metrics()), stages=("score", "watch"), scorer=scorer).run(stop)


def main() -> None:
    """See above."""
    servers, folder, partitions, port, model = sys.argv[1:]
    run_async(run(servers, Path(folder), int(partitions), int(port), model))


if __name__ == "__main__":
    main()
