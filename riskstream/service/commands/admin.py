"""`riskstream topics`: what the settings need of the broker, and what is there."""

from __future__ import annotations

import click

from riskstream.core.errors import OperatorError
from riskstream.kafka.client import KafkaBroker
from riskstream.service import parts
from riskstream.settings import Settings


async def create_topics(settings: Settings) -> int:
    """Create the topics that are missing and say what each is now."""
    broker = KafkaBroker(parts.kafka_config(settings.kafka, settings.app))
    try:
        before = set(await broker.topics())
        wanted = parts.topics_of(settings)
        await broker.create_topics([topic for topic in wanted if topic.name not in before])
        there = await broker.topics()
    finally:
        await broker.close()
    for topic in wanted:
        now = there[topic.name]
        what = "was there" if topic.name in before else "created"
        click.echo(f"{topic.name}: {what}, {now.partitions} partitions, replication {now.replication}")
        if now.replication < topic.replication:
            wish = f"topics.replication = {topic.replication}"
            click.echo(f"  warning: {wish}, and the cluster gave {now.replication}: a lost broker loses data", err=True)
    return 0


async def show_topics(settings: Settings) -> int:
    """Every topic of the settings, as the broker has it."""
    broker = KafkaBroker(parts.kafka_config(settings.kafka, settings.app))
    try:
        there = await broker.topics()
    finally:
        await broker.close()
    missing = [topic.name for topic in parts.topics_of(settings) if topic.name not in there]
    for topic in parts.topics_of(settings):
        if (now := there.get(topic.name)) is not None:
            kept = ", ".join(f"{key}={value}" for key, value in sorted(now.config.items()) if key in topic.config)
            click.echo(f"{now.name}: {now.partitions} partitions, replication {now.replication}, {kept}")
    if missing:
        raise OperatorError("topics", missing, "not on the broker", "run `riskstream topics create`")
    return 0
