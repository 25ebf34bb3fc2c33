"""What a daemon makes sure of before it takes a partition: topics as its stages need them, and its tracing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from riskstream.core.errors import OperatorError, UnknownTopic
from riskstream.core.ports import Broker
from riskstream.service import parts
from riskstream.settings import Settings

if TYPE_CHECKING:
    from riskstream.service.daemon.tracing import Traces


async def check_topics(
    broker: Broker, settings: Settings, stages: Collection[str], *, rollups: bool
) -> Mapping[str, int]:
    """The partitions of each state topic. Raises OperatorError for a topic that is missing or made another way."""
    there, topics = await broker.topics(), settings.topics
    for name in parts.topics_used(settings, stages, rollups=rollups):
        if name not in there:
            fix = "create it with `riskstream topics create`, or correct the name"
            raise UnknownTopic("topic", name, "is not on the broker", fix)
    if "watch" not in stages:
        return {}
    parts.check_append_times(there, [topics.signals])
    parts.check_partitions(there, topics.signals, topics.state)
    partitions = {topics.state: there[topics.signals].partitions}
    if rollups:
        parts.check_append_times(there, [topics.rollups])
        parts.check_partitions(there, topics.rollups, topics.rollups_state, "topics.rollups_state")
        partitions[topics.rollups_state] = there[topics.rollups].partitions
    return partitions


def make_traces(settings: Settings) -> Traces | None:
    """None where nothing is traced: its libraries are then not even imported."""
    if not settings.tracing.endpoint:
        return None
    try:
        from riskstream.service.daemon.tracing import make
    except ModuleNotFoundError:
        raise OperatorError(
            "tracing.endpoint", "…", "needs a package that is not installed", "install `riskstream[tracing]`"
        ) from None
    return make(settings)
