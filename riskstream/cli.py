"""The command line: parses, calls one function, says how it ended.

    0  done        2  the operator's mistake: one line on stderr that names the setting, its value and the fix
                   1  our fault: a traceback, and the request to report it

stdout is data, stderr is talk. Heavy parts are imported by the command that needs them.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

import click

from riskstream import __version__
from riskstream.cli_data import data
from riskstream.cli_feeds import bootstrap, export, feeds, publish, replay
from riskstream.cli_models import evaluate, models, train
from riskstream.cli_support import CONFIG, guarded_loop, read_settings, run_async, stdout
from riskstream.concealed import conceal
from riskstream.core.errors import DeviceLost, OperatorError
from riskstream.settings import load


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Scores news and social feeds from Kafka for risk, per watched entity, and publishes alerts."""


def main() -> None:
    """The entry point: runs a command and turns how it ended into an exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except OperatorError as error:
        _say(str(error))
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except DeviceLost as error:
        _say(str(error))
        os._exit(1)  # a thread of the model may never end, and a tidy exit would wait for it
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            _say("stdout: no space is left on the device. Fix: make room, or write elsewhere.")
            os._exit(2)
        click.echo(conceal(traceback.format_exc()), err=True, nl=False)
        _say("this is a fault of riskstream; please report it with the lines above")
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _say(text: str) -> None:
    click.echo(f"riskstream: {conceal(text)}", err=True)


def stop_on_signals(grace_ms: int) -> asyncio.Event:
    """An event that SIGTERM and SIGINT set. A second signal, or the end of the grace, ends the process at once."""
    stop = asyncio.Event()

    def leave() -> None:
        click.echo("riskstream: stopped before everything was committed; the rest comes again", err=True)
        os._exit(1)

    def on_signal() -> None:
        if stop.is_set():
            leave()
        stop.set()
        timer = threading.Timer(grace_ms / 1000, leave)
        timer.daemon = True
        timer.start()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


@cli.command()
@CONFIG
@click.option(
    "--stage", "stages", multiple=True, type=click.Choice(["score", "watch", "serve"]), help="Only these; else all."
)
def run(config: Path | None, stages: tuple[str, ...]) -> int:
    """Run the daemon until SIGTERM."""
    settings = read_settings(config)

    async def work() -> None:
        from riskstream.service.daemon.app import STAGES, Daemon
        from riskstream.telemetry.emit import Telemetry
        from riskstream.telemetry.metrics import Metrics

        chosen = tuple(stage for stage in STAGES if not stages or stage in stages)
        telemetry = Telemetry(Metrics())
        async with guarded_loop(settings.watchdogs.loop_blocked_s):
            await Daemon(settings, telemetry, stages=chosen).run(stop_on_signals(settings.stages.grace_ms))

    return run_async(work())


@cli.command()
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600),
    default=40.0,
    show_default=True,
    help="How long the feed's three days take.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help="The HTTP port; 0 for a free one."
)
@click.option("--json/--text", "as_json", default=None, help="Alerts as JSON lines; default: text on a terminal.")
def demo(seconds: float, port: int, as_json: bool | None) -> int:
    """Run the whole daemon on the embedded broker with a packaged feed, and end."""
    from riskstream.service.commands.demo import run_demo

    return run_async(run_demo(seconds=seconds, port=port, as_json=as_json))


@cli.command()
@click.option("--model", help="A version's directory, name@version or name@alias; instead of models.name.")
@click.option("--explain", is_flag=True, help="Say which words moved the risk score, as `spans`.")
@click.option("--passages", is_flag=True, help="List the risky passages of a long text, in order.")
@CONFIG
def score(model: str | None, explain: bool, passages: bool, config: Path | None) -> int:
    """Score JSON lines from stdin to stdout: `text`, optional `entity` and `id` in, one line out for each."""
    from riskstream.service.ask import score_lines
    from riskstream.service.question import Wishes

    if sys.stdin is None:
        raise OperatorError("stdin", None, "is closed", "pipe JSON lines into it")
    settings = read_settings(config)
    wishes = Wishes(explain, passages, settings.scoring.explain_risk_score_min)
    score_lines(settings, model, sys.stdin.buffer, stdout(), wishes)
    return 0


@cli.group()
def rules() -> None:
    """Rule files."""


@rules.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@CONFIG
def rules_check(files: tuple[Path, ...], config: Path | None) -> int:
    """Check rule files, or directories of them; without arguments, what the settings name."""
    from riskstream.core.rules.rulefile import check_files
    from riskstream.service.stages.files import rule_files

    failed = 0
    for file in files or (load(config).watch.rules,):
        try:
            rules, mistakes = check_files(rule_files(file, "file" if files else "watch.rules"))
        except OperatorError as error:
            mistakes = [error]
        failed += len(mistakes)
        for mistake in mistakes:
            click.echo(f"riskstream: {mistake}", err=True)
        if not mistakes:
            click.echo(f"{file}: {len(rules.rules)} rules, all sound")
    return 2 if failed else 0


@rules.command("test")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def rules_test(files: tuple[Path, ...]) -> int:
    """Run the cases of test files (`*.test.toml`, or directories of them) against the rules that they name."""
    from riskstream.service.commands.rulestests import run_files

    return run_files(files)


@cli.group()
def topics() -> None:
    """Our topics on the broker."""


@topics.command("create")
@CONFIG
def topics_create(config: Path | None) -> int:
    """Create the topics that are missing; leave the others as they are."""
    from riskstream.service.commands.admin import create_topics

    return run_async(create_topics(read_settings(config)))


@topics.command("show")
@CONFIG
def topics_show(config: Path | None) -> int:
    """Show every topic that the settings name, as the broker has it."""
    from riskstream.service.commands.admin import show_topics

    return run_async(show_topics(read_settings(config)))


@cli.command()
@CONFIG
def doctor(config: Path | None) -> int:
    """Check settings, files, model, device, broker and topics, each with its fix."""
    from riskstream.service.commands.doctor import examine

    return run_async(examine(config))


@cli.command()
@click.option("--once", is_flag=True, help="Do one round and end, as a CronJob wants it.")
@CONFIG
def trainer(once: bool, config: Path | None) -> int:
    """The companion: learn from labels, publish a candidate, promote it if the gate lets it through."""
    from riskstream.service.commands.companion import run_once

    if not once:
        raise OperatorError(
            "trainer", "", "it does one round at a time", "run `riskstream trainer --once` on a schedule"
        )
    settings = read_settings(config)

    async def work() -> None:
        click.echo(json.dumps(await run_once(settings), ensure_ascii=False))

    return run_async(work())


cli.add_command(publish)
cli.add_command(feeds)
cli.add_command(export)
cli.add_command(replay)
cli.add_command(bootstrap)
cli.add_command(train)
cli.add_command(evaluate)
cli.add_command(models)
cli.add_command(data)
