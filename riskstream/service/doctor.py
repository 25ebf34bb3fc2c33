"""`riskstream doctor`: everything that a start needs, checked one by one, each failure with its fix."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from riskstream.core.errors import OperatorError
from riskstream.core.ports import Broker
from riskstream.kafka.client import KafkaBroker
from riskstream.service import parts
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
    broker = KafkaBroker(parts.kafka_config(settings.kafka, settings.app))
    try:
        for name, check in _checks(settings, broker).items():
            if name == "topics" and "broker" in failed:
                _say(name, None, "not looked at, since the broker does not answer")
                continue
            try:
                _say(name, await check())
            except OperatorError as error:
                _say(name, None, str(error))
                failed.append(name)
    finally:
        await broker.close()
    return 2 if failed else 0


def _checks(settings: Settings, broker: Broker) -> dict[str, Check]:
    async def feeds() -> str:
        if not settings.feed:
            raise OperatorError("feed", [], "no feed is configured", "add a [[feed]] table with a name and a topic")
        for feed in settings.feed:
            parts.decoder_of(feed)
            parts.start_of(feed)
        return f"{len(settings.feed)}: {', '.join(feed.name for feed in settings.feed)}"

    async def watchlist() -> str:
        return f"{settings.watch.watchlist}: {len(parts.load_watchlist(settings.watch.watchlist))} entities"

    async def rules() -> str:
        return f"{settings.watch.rules}: {len(parts.load_rules(settings.watch.rules).rules)} rules"

    async def model() -> str:
        scorer = await asyncio.to_thread(parts.load_scorer, settings.model)
        return f"{scorer.name} on {scorer.backend}, hashes as in its manifest"

    async def reach() -> str:
        return f"{settings.kafka.bootstrap_servers} answers, with {len(await broker.topics())} topics"

    async def topics() -> str:
        there = await broker.topics()
        wanted = parts.topics_of(settings)
        missing = [topic.name for topic in wanted if topic.name not in there]
        if missing:
            raise OperatorError("topics", missing, "not on the broker", "run `riskstream topics create`")
        for topic in wanted:
            kind = there[topic.name].config.get("message.timestamp.type", "LogAppendTime")
            if kind != "LogAppendTime":
                fix = f"set message.timestamp.type=LogAppendTime on {topic.name}"
                problem = f"message.timestamp.type is {kind}: arrivals would be the producers' clocks"
                raise OperatorError("topic", topic.name, problem, fix)
        return f"all {len(wanted)} are there"

    return {
        "feeds": feeds,
        "watchlist": watchlist,
        "rules": rules,
        "model": model,
        "broker": reach,
        "topics": topics,
    }


def _say(name: str, good: str | None, bad: str = "") -> None:
    mark = click.style("ok  ", fg="green") if good is not None else click.style("FAIL", fg="red")
    click.echo(f"{mark}  {name:10} {good if good is not None else bad}")
