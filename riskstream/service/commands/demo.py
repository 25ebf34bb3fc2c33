"""`riskstream demo`: the whole daemon on the embedded broker, three days of a packaged feed in under a minute.

    packaged feed ─► embedded broker ─► the same daemon as `run` ─► alerts as they fire, on stdout

The clock is the feed's: it moves to a line's arrival when that line is sent, and a line is sent only when everything
before it is committed. So the demo tells the same story on a slow machine as on a fast one, and as `replay` does up to
the last signal; after that only the demo's clock goes on.
"""

from __future__ import annotations

import asyncio
import importlib.resources
import sys
from collections.abc import Sequence

import click

from riskstream.core.errors import first_error
from riskstream.core.records import Alert, Output
from riskstream.core.watching import codec
from riskstream.kafka.memory import MemoryBroker
from riskstream.sections import Feed, Http, Stages
from riskstream.service import parts
from riskstream.service.commands.publish import Line, read_lines
from riskstream.service.daemon.app import Daemon
from riskstream.settings import Settings, load
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.logs import configure_logging
from riskstream.telemetry.metrics import Metrics

FEED = Feed(name="demo", topic="demo.feed", start="earliest", age_max_s=7 * 86_400)
SETTLE_S_MAX = 60.0
COLOURS = {"watch": "yellow", "material": "magenta", "severe": "red"}


class DemoClock:
    """The time of the feed; it moves only when it is told."""

    def __init__(self, now_ms: int) -> None:
        self.ms = now_ms

    def __call__(self) -> int:
        """Milliseconds since 1970 UTC."""
        return self.ms


async def run_demo(*, seconds: float, port: int, as_json: bool | None) -> int:
    """Feed, watch, tell, and end."""
    configure_logging("WARNING", None)
    settings = demo_settings(port)
    lines = list(read_lines(packaged_feed()))
    clock = DemoClock(lines[0].arrival_ms)
    broker = MemoryBroker(now_ms=clock)
    await broker.create_topics(parts.topics_of(settings))
    show = Teller(as_json if as_json is not None else not sys.stdout.isatty())
    telemetry = Telemetry(Metrics())
    daemon = Daemon(settings, telemetry, broker=broker, now_ms=clock, on_alert=show)
    stop = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(daemon.run(stop))
            waiting = tasks.create_task(daemon.health.until(("model", "score.lanes", "watch.lanes")))
            await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
            assert daemon.http is not None
            click.echo(
                f"demo: http://{settings.http.host}:{daemon.http.port}/metrics is open while this runs", err=True
            )
            await feed(daemon, broker, clock, lines, seconds)
            stop.set()
    except BaseExceptionGroup as group:
        raise first_error(group) from group
    show.end(len(lines))
    return 0


def demo_settings(port: int) -> Settings:
    """The settings of the checkout with the demo's feed, quick commits and an open port on loopback."""
    return load(None).model_copy(
        update={
            "feed": (FEED,),
            "http": Http(port=port, open=True),
            "stages": Stages(commit_ms=5),
        }
    )


def packaged_feed() -> Sequence[bytes]:
    """The lines of the feed that comes with the package."""
    packaged = importlib.resources.files("riskstream.packaged") / "three-days.jsonl"
    return packaged.read_bytes().splitlines()


async def feed(daemon: Daemon, broker: MemoryBroker, clock: DemoClock, lines: Sequence[Line], seconds: float) -> None:
    """Send the lines, their three days drawn together to `seconds`, each when the one before it is settled."""
    publisher = await broker.publisher()
    loop = asyncio.get_running_loop()
    started, first = loop.time(), lines[0].arrival_ms
    per_ms = seconds / max(1, lines[-1].arrival_ms - first)
    for line in lines:
        await asyncio.sleep(max(0.0, started + (line.arrival_ms - first) * per_ms - loop.time()))
        clock.ms = line.arrival_ms
        await publisher.send([Output(FEED.topic, None, line.value)])
        async with asyncio.timeout(SETTLE_S_MAX):
            await broker.settle(stage.group for stage in daemon.running.values())
    await publisher.close()


class Teller:
    """Shows each alert as it fires: JSON with every record, or a line for a person, which leaves out mere evidence."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._open: dict[str, Alert] = {}
        self._records = 0

    def __call__(self, alert: Alert) -> None:
        """One record of an alert's life."""
        self._records += 1
        if alert.state == "resolved":
            self._open.pop(alert.alert_id, None)
        else:
            self._open[alert.alert_id] = alert
        if self._as_json:
            click.echo(codec.encode(alert).decode())
        elif alert.reason != "evidence":
            click.echo(told(alert))

    def end(self, documents: int) -> None:
        """The last line, on stderr."""
        still = ", ".join(sorted(f"{a.subject.name} ({a.severity})" for a in self._open.values())) or "none"
        click.echo(f"demo: {documents} documents, {self._records} alert records, still open: {still}", err=True)


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def told(alert: Alert) -> str:
    """An alert record as a line for a person."""
    when = alert.updated_at[:16].replace("T", " ")
    word = "FIRING" if alert.reason == "fired" else "RESOLVED" if alert.state == "resolved" else alert.reason
    head = click.style(f"{word:9} {alert.severity:9}", fg=COLOURS[alert.severity], bold=alert.sequence == 1)
    told_by = _many(alert.sources, "source", "sources")
    counts = f"{alert.value:.2f} (limit {alert.limit:.2f}), {told_by}, {alert.confirmation}"
    return f"{when}  {head} {alert.subject.name:23} {alert.rule}: {counts}; {alert.why}"
