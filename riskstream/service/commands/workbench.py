"""`riskstream replay`: files around the pure replay, and what is made of it.

files ─► signals ─┬─► the engine ─► alerts to stdout
                  ├─► --save-signals, --report (what the page needs)
                  ├─► --compare: a second engine with other rules
                  └─► --sweep: an engine for each value; a line for each goes to stdout instead of alerts
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from riskstream.core.errors import OperatorError
from riskstream.core.reading.entities import Matcher
from riskstream.core.records import Alert, Signal, Watched
from riskstream.core.rules.rule import RuleSet
from riskstream.core.watching.desk import Desk
from riskstream.sections import Feed
from riskstream.service import parts
from riskstream.service.commands import replay, rows
from riskstream.service.commands.findings import Findings, Sought
from riskstream.service.pipeline import Preparer
from riskstream.service.stages import files
from riskstream.settings import Settings

Signals = Iterator[tuple[Signal, int]]


class ReplayJob(msgspec.Struct, frozen=True):
    """What to replay: feed files, or a file of saved signals; rules and watchlist in place of the settings'.

    `speed`: that many times the pace of the arrivals; None: as fast as it goes.
    """

    feeds: tuple[Path, ...]
    rules: Path | None = None
    watchlist: Path | None = None
    signals: Path | None = None
    save_signals: Path | None = None
    feed_name: str | None = None
    speed: float | None = None
    sought: Sought = Sought()


def replay_files(settings: Settings, job: ReplayJob, out: BinaryIO) -> None:
    """Write the alerts of a replay to `out`, and what it met to stderr. Raises OperatorError on a wrong option."""
    if bool(job.feeds) == bool(job.signals):
        fix = "give feed files, or --signals with a file of saved signals, and not both"
        raise OperatorError("replay", [str(feed) for feed in job.feeds], "nothing, or too much, to replay", fix)
    watchlist = (
        files.load_watchlist(job.watchlist, "--watchlist")
        if job.watchlist
        else files.load_watchlist(settings.watch.watchlist)
    )
    named_by, path = ("--rules", job.rules) if job.rules else ("watch.rules", settings.watch.rules)
    rules = files.load_rules(path, named_by)
    engine, tally = Desk(rules, watchlist), replay.Tally()
    findings = Findings(job.sought, path, watchlist)
    with ExitStack() as opened:
        keep = opened.enter_context(_saved(job.save_signals)).write if job.save_signals else None
        page = opened.enter_context(_saved(job.sought.report, "--report")) if job.sought.report else None
        signals = _signals(settings, job, rules, watchlist, tally)
        signals = findings.seen(paced(signals, job.speed) if job.speed else signals)
        alerts = findings.told(replay.alerts_of(signals, engine, tally, keep))
        for line in _lines_out(alerts, findings):
            out.write(line)
        if page is not None:
            page.write(findings.page(engine.held()).encode())
    out.flush()
    click.echo(f"replay: {tally.line()}", err=True)
    for told in findings.lines():
        click.echo(f"replay: {told}", err=True)


def paced(signals: Signals, speed: float) -> Signals:
    """The signals, each no earlier than its arrival at so many times the pace."""
    begun, first_ms = time.monotonic(), None
    for signal, appended_ms in signals:
        first_ms = appended_ms if first_ms is None else first_ms
        ahead_s = (appended_ms - first_ms) / 1000 / speed - (time.monotonic() - begun)
        if ahead_s > 0:
            time.sleep(ahead_s)
        yield signal, appended_ms


def _lines_out(alerts: Iterable[Alert], findings: Findings) -> Iterator[bytes]:
    """The alerts as they come; where a limit is swept, the points at the end instead."""
    for line in replay.alert_lines(alerts):
        if not findings.swept:
            yield line
    yield from (msgspec.json.encode(point) + b"\n" for point in findings.points())


def _signals(
    settings: Settings, job: ReplayJob, rules: RuleSet, watchlist: Mapping[str, Watched], tally: replay.Tally
) -> Signals:
    if job.signals is not None:
        return replay.saved_signals(rows.lines((job.signals,)), str(job.signals))
    scorer = parts.load_scorer(settings.models)
    files.check_rules_fit(rules, scorer)
    feed = _feed(settings, job.feed_name)
    decoder = files.decoder_of(feed)
    entities_max = settings.watch.entities_per_document_max
    matcher, limits = Matcher(tuple(watchlist.values())), parts.window_limits(settings.scoring)
    preparer = Preparer({feed.topic: decoder}, matcher, scorer, entities_max, limits)
    source = replay.messages(rows.lines(job.feeds), decoder)
    batches, explain = parts.batch_limits(settings.batching), parts.explain_policy(settings.scoring)
    return replay.signals_of(source, preparer, scorer, batches, tally, explain)


@contextmanager
def _saved(path: Path, option: str = "--save-signals") -> Iterator[BinaryIO]:
    """A file that takes its name only when it is whole: what was there before stays until then."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        fix = "give the path of a file in a directory that can be written to"
        raise OperatorError(option, str(path), f"cannot be written: {error.strerror}", fix) from None


def _feed(settings: Settings, name: str | None) -> Feed:
    if name is None:
        return settings.feed[0] if settings.feed else Feed(name="replay", topic="replay")
    found = next((feed for feed in settings.feed if feed.name == name), None)
    if found is None:
        names = ", ".join(feed.name for feed in settings.feed) or "none"
        raise OperatorError("--feed", name, "is not configured", f"choose one of: {names}")
    return found
