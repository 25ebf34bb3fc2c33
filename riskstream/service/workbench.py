"""`riskstream replay`: files around the pure replay."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from riskstream.core.entities import Matcher
from riskstream.core.errors import OperatorError
from riskstream.core.watch import Watch
from riskstream.sections import Feed
from riskstream.service import parts, replay
from riskstream.service.pipeline import Preparer
from riskstream.settings import Settings


class ReplayJob(msgspec.Struct, frozen=True):
    """What to replay: feed files, or a file of saved signals; rules and watchlist in place of the settings'."""

    feeds: tuple[Path, ...]
    rules: Path | None = None
    watchlist: Path | None = None
    signals: Path | None = None
    save_signals: Path | None = None
    feed_name: str | None = None


def replay_files(settings: Settings, job: ReplayJob, out: BinaryIO) -> None:
    """Write the alerts of a replay to `out`, and what it met to stderr. Raises OperatorError on a wrong option."""
    if bool(job.feeds) == bool(job.signals):
        fix = "give feed files, or --signals with a file of saved signals, and not both"
        raise OperatorError("replay", [str(feed) for feed in job.feeds], "nothing, or too much, to replay", fix)
    watchlist = (
        parts.load_watchlist(job.watchlist, "--watchlist")
        if job.watchlist
        else parts.load_watchlist(settings.watch.watchlist)
    )
    rules = parts.load_rules(job.rules, "--rules") if job.rules else parts.load_rules(settings.watch.rules)
    engine = Watch(rules, watchlist)
    tally = replay.Tally()
    with ExitStack() as files:
        keep = files.enter_context(_saved(job.save_signals)).write if job.save_signals else None
        if job.signals is not None:
            signals = replay.saved_signals(_lines((job.signals,)), str(job.signals))
        else:
            scorer = parts.load_scorer(settings.models)
            parts.check_rules_fit(rules, scorer)
            feed = _feed(settings, job.feed_name)
            decoder = parts.decoder_of(feed)
            entities_max = settings.watch.entities_per_document_max
            preparer = Preparer({feed.topic: decoder}, Matcher(tuple(watchlist.values())), scorer, entities_max)
            source = replay.messages(_lines(job.feeds), decoder)
            signals = replay.signals_of(source, preparer, scorer, parts.batch_limits(settings.batching), tally)
        for line in replay.alert_lines(replay.alerts_of(signals, engine, tally, keep)):
            out.write(line)
    out.flush()
    click.echo(f"replay: {tally.line()}", err=True)


@contextmanager
def _saved(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name only when it is whole: what was there before stays until then."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        fix = "give the path of a file in a directory that can be written to"
        raise OperatorError("--save-signals", str(path), f"cannot be written: {error.strerror}", fix) from None


def _feed(settings: Settings, name: str | None) -> Feed:
    if name is None:
        return settings.feed[0] if settings.feed else Feed(name="replay", topic="replay")
    found = next((feed for feed in settings.feed if feed.name == name), None)
    if found is None:
        names = ", ".join(feed.name for feed in settings.feed) or "none"
        raise OperatorError("--feed", name, "is not configured", f"choose one of: {names}")
    return found


def _lines(paths: Sequence[Path]) -> Iterator[bytes]:
    """The lines of files, one after the other; a bar on a terminal shows how far it is."""
    for path in paths:
        try:
            file = path.open("rb")
        except OSError as error:
            fix = "give the path of a JSONL file"
            raise OperatorError("file", str(path), f"cannot be read: {error.strerror}", fix) from None
        with (
            file,
            click.progressbar(
                length=path.stat().st_size, label=path.name, file=sys.stderr, hidden=not sys.stderr.isatty()
            ) as bar,
        ):
            for line in file:
                bar.update(len(line))
                yield line
