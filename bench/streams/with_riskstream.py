"""The score stage as it ships, exactly-once, with a model that costs nothing.

python -m bench.streams.with_riskstream SERVERS IN OUT GROUP COMMIT_MS
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from bench.streams.job import FixedScorer, watchlist_text
from riskstream.cli_support import run_async
from riskstream.sections import Batching, Feed, Http, Scoring, Stages, Watch
from riskstream.sections.kafka import Kafka, Topics
from riskstream.sections.learning import Reviews
from riskstream.service.daemon.app import Daemon
from riskstream.settings import Settings
from riskstream.telemetry import Metrics, Telemetry

RULE = '[[rule]]\nname = "never"\naggregate = "count"\nwindow_s = 60\nlimit = 1000000\n'
"""The stage reads the rules, to know which sources are listened for."""


async def run(folder: Path, servers: str, read: str, write: str, group: str, commit_ms: int) -> None:
    """Until it is told to end. Repeats are not answered from the cache, and nothing is explained or asked about."""
    (folder / "rules.toml").write_text(RULE, encoding="utf-8")
    (folder / "watchlist.csv").write_text(watchlist_text(), encoding="utf-8")
    settings = Settings(
        app=group,
        feed=(Feed(name="bench", topic=read, start="earliest"),),
        kafka=Kafka(bootstrap_servers=servers),
        topics=Topics(signals=write, dead_letters=f"{write}.dead", replication=1),
        stages=Stages(commit_ms=commit_ms),
        batching=Batching(cache_max=0),
        scoring=Scoring(explain_risk_score_min=1.01),
        reviews=Reviews(enabled=False),
        watch=Watch(rules=folder / "rules.toml", watchlist=folder / "watchlist.csv"),
        http=Http(port=0),
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Daemon(settings, Telemetry(Metrics()), stages=("score",), scorer=FixedScorer()).run(stop)


def main() -> None:
    """See above."""
    servers, read, write, group, commit_ms = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        run_async(run(Path(folder), servers, read, write, group, int(commit_ms)))


if __name__ == "__main__":
    main()
