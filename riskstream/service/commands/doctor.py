"""`riskstream doctor`: everything that a start needs, checked one by one, each failure with its fix."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import click

from riskstream.concealed import read_secret
from riskstream.core.asking.callers import parse_callers
from riskstream.core.errors import OperatorError
from riskstream.core.ports import TopicInfo
from riskstream.kafka.client import KafkaBroker
from riskstream.service import parts
from riskstream.service.daemon.starting import make_traces
from riskstream.service.sinks.config import target
from riskstream.service.stages import files
from riskstream.service.stages.swap import load_checked
from riskstream.settings import Settings, load

Check = Callable[[], Awaitable[str]]


async def examine(config: Path | None) -> int:
    """Run every check; 0 if all pass, else 2. Without sound settings, nothing else can be looked at."""
    try:
        settings = load(config)
    except OperatorError as error:
        _say("settings", None, str(error))
        return 2
    _say("settings", f"{config or 'config/riskstream.toml, or the defaults'}: sound")
    failed: list[str] = []
    for name, check in _checks(settings).items():
        if name == "topics" and "broker" in failed:
            _say(name, None, "not looked at, since the broker does not answer")
            continue
        try:
            _say(name, await check())
        except OperatorError as error:
            _say(name, None, str(error))
            failed.append(name)
    return 2 if failed else 0


async def _topics(settings: Settings) -> Mapping[str, TopicInfo]:
    broker = KafkaBroker(parts.kafka_config(settings.kafka, settings.app))
    try:
        return await broker.topics()
    finally:
        await broker.close()


async def _tracing(settings: Settings) -> str:
    if (traces := make_traces(settings)) is None:
        return "off"
    await traces.close()
    return f"{settings.tracing.sample_ratio:g} of the documents that come without a trace"


def _checks(settings: Settings) -> dict[str, Check]:
    async def feeds() -> str:
        if not settings.feed:
            raise OperatorError("feed", [], "no feed is configured", "add a [[feed]] table with a name and a topic")
        for feed in settings.feed:
            files.decoder_of(feed)
            files.start_of(feed)
        return f"{len(settings.feed)}: {', '.join(feed.name for feed in settings.feed)}"

    async def watchlist() -> str:
        return f"{settings.watch.watchlist}: {len(files.load_watchlist(settings.watch.watchlist))} entities"

    async def rules() -> str:
        return f"{settings.watch.rules}: {len(files.load_rules(settings.watch.rules).rules)} rules"

    async def model() -> str:
        found = await asyncio.to_thread(load_checked, settings)
        files.check_rules_fit(files.load_rules(settings.watch.rules), found.scorer)
        golden = "no golden pairs to check" if found.unchecked else "golden pairs as published"
        return f"{found.scorer.name} on {found.scorer.backend}, hashes as in its manifest, {golden}"

    async def http() -> str:
        tokens = read_secret("http.token_file", settings.http.token_file)
        callers = parse_callers(tokens).names if tokens else ()
        who = f"{len(callers)} tokens" if callers else "everybody" if settings.http.open else "nobody"
        return f"{settings.http.host}:{settings.http.port}, /v1 answers {who}"

    async def sinks() -> str:
        for sink in settings.sink:
            target(sink)
        return f"{len(settings.sink)}: {', '.join(f'{sink.name} ({sink.kind})' for sink in settings.sink) or 'none'}"

    async def reach() -> str:
        return f"{settings.kafka.bootstrap_servers} answers, with {len(await _topics(settings))} topics"

    async def topics() -> str:
        there = await _topics(settings)
        wanted = parts.topics_of(settings)
        missing = [topic.name for topic in wanted if topic.name not in there]
        if missing:
            raise OperatorError("topics", missing, "not on the broker", "run `riskstream topics create`")
        parts.check_append_times(there, [topic.name for topic in wanted])
        return f"all {len(wanted)} are there"

    return {
        "feeds": feeds,
        "watchlist": watchlist,
        "rules": rules,
        "model": model,
        "http": http,
        "sinks": sinks,
        "tracing": partial(_tracing, settings),
        "broker": reach,
        "topics": topics,
    }


def _say(name: str, good: str | None, bad: str = "") -> None:
    mark = click.style("ok  ", fg="green") if good is not None else click.style("FAIL", fg="red")
    click.echo(f"{mark}  {name:10} {good if good is not None else bad}")
