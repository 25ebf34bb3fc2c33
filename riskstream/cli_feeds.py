"""The commands about feeds: into a topic, out of one, moved within one, and replayed over rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from riskstream.cli_support import CONFIG, read_settings, run_async, stdout


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--topic", required=True, help="Where the documents go.")
@click.option("--shift-to-now", is_flag=True, help="Move the times of publication so that the newest is now.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="N times the pace of the file's times.")
@CONFIG
def publish(file: Path, topic: str, shift_to_now: bool, speed: float | None, config: Path | None) -> int:
    """Feed a JSONL file of documents to a topic."""
    from riskstream.service.commands.publish import publish_file

    return run_async(publish_file(read_settings(config), file, topic, shift_to_now=shift_to_now, speed=speed))


@click.command()
@click.option("--topic", required=True, help="What to read: a feed, riskstream.signals, riskstream.alerts, …")
@click.option("--from", "first", required=True, help="From this append time on: ISO 8601, UTC if it names no zone.")
@click.option("--to", "last", help="Up to and without this append time; now if not given.")
@CONFIG
def export(topic: str, first: str, last: str | None, config: Path | None) -> int:
    """Bring what is committed in a topic between two times back out, one JSON line each on stdout."""
    from riskstream.service.commands.export import export_topic

    return run_async(export_topic(read_settings(config), topic, first, last, stdout()))


@click.command()
@click.argument("feeds", nargs=-1, type=click.Path(path_type=Path))
@click.option("--rules", type=click.Path(path_type=Path), help="Instead of watch.rules.")
@click.option("--watchlist", type=click.Path(path_type=Path), help="Instead of watch.watchlist.")
@click.option("--signals", type=click.Path(path_type=Path), help="Replay saved signals; no model is needed.")
@click.option("--save-signals", type=click.Path(path_type=Path), help="Keep the signals for later replays.")
@click.option("--feed", "feed_name", help="The [[feed]] whose settings the files have; the first if not given.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="N times the pace of the arrivals.")
@click.option("--report", type=click.Path(path_type=Path), help="Write one HTML page of what was alerted and why.")
@click.option("--stories", type=click.Path(path_type=Path), help="What should have been told by when, as JSON.")
@click.option("--prices", type=click.Path(path_type=Path), help="Daily prices for the report: ticker,Date,Close.")
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
    help="Other rules, or signals of then (.jsonl): what is gained, lost, moved.",
)
@click.option("--sweep", metavar="RULE.KEY=FROM:TO:STEP", help="Try a key at many values; a line each, no alerts.")
@CONFIG
def replay(
    feeds: tuple[Path, ...],
    rules: Path | None,
    watchlist: Path | None,
    signals: Path | None,
    save_signals: Path | None,
    feed_name: str | None,
    speed: float | None,
    config: Path | None,
    **sought: Any,
) -> int:
    """Replay feeds (JSONL, CSV, Parquet) on event time; alerts go to stdout, one JSON line each."""
    from riskstream.service.commands.findings import Sought
    from riskstream.service.commands.workbench import ReplayJob, replay_files

    job = ReplayJob(feeds, rules, watchlist, signals, save_signals, feed_name, speed, Sought(**sought))
    replay_files(read_settings(config), job, stdout())
    return 0


@click.command()
@click.option("--from", "first", required=True, metavar="TIME", help="The oldest signal to learn from, ISO 8601.")
@CONFIG
def bootstrap(first: str, config: Path | None) -> int:
    """Let `spike` and `new` rules learn from kept signals, while the watch stage is stopped."""
    from riskstream.service.commands.bootstrap import bootstrap_watch

    return run_async(bootstrap_watch(read_settings(config), first))


@click.group()
def feeds() -> None:
    """What feeds have been read, and from where."""


@feeds.command("reset")
@click.option("--topic", required=True, help="A feed's topic, or that of signals.")
@click.option("--partition", type=click.IntRange(min=0), help="Only this one; all if not given.")
@click.option("--to", required=True, metavar="earliest|latest|TIME|OFFSET", help="Where reading goes on.")
@click.option("--dry-run", is_flag=True, help="Only say what it would skip or read again.")
@CONFIG
def feeds_reset(topic: str, partition: int | None, to: str, dry_run: bool, config: Path | None) -> int:
    """Go on elsewhere in a topic: past a gap, or back. Refuses while a daemon reads it."""
    from riskstream.service.commands.reset import Where, reset_feed

    return run_async(reset_feed(read_settings(config), Where(topic, partition, to), dry_run=dry_run))
