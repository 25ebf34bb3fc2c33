"""What both brokers say and do about topics."""

from __future__ import annotations

from riskstream.core.errors import UnknownTopic
from riskstream.core.ports import TopicInfo


def fit(topic: TopicInfo, brokers: int) -> TopicInfo:
    """The topic as this many brokers can hold it: no more replicas than brokers, no more in sync than replicas."""
    replication = min(topic.replication, brokers)
    config = dict(topic.config)
    if int(config.get("min.insync.replicas", "1")) > replication:
        config["min.insync.replicas"] = str(replication)
    return TopicInfo(topic.name, topic.partitions, replication, config)


def unknown_topic(topic: str) -> UnknownTopic:
    """A topic that the broker does not have, or does not show us."""
    return UnknownTopic(
        "topic",
        topic,
        "the broker has no such topic, or hides it from this user",
        "create it with `riskstream topics create`, or correct its name in the settings",
    )
