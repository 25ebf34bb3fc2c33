"""The parts of a daemon, made from its settings: each function reads what one part needs and says what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from riskstream.concealed import read_secret
from riskstream.core.asking.reviews import ReviewPolicy
from riskstream.core.errors import OperatorError
from riskstream.core.lanes.batching import BatchLimits
from riskstream.core.lanes.overload import Shedding
from riskstream.core.passages import WindowLimits
from riskstream.core.ports import Scorer, TopicInfo
from riskstream.kafka.config import KafkaConfig
from riskstream.scoring.explain import ExplainLimits
from riskstream.sections import Batching, Models, Scoring
from riskstream.sections.kafka import Kafka
from riskstream.sections.learning import Reviews
from riskstream.service.cores import usable_cores
from riskstream.service.explaining import ExplainPolicy
from riskstream.settings import Settings

DAY_MS = 86_400_000
STATE_CLEANING = {
    "segment.bytes": str(64 * 2**20),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": "600000",
}
"""The log that a lane reads when it is assigned stays small: at most a tenth, and ten minutes, of what is out of date,
besides the segment that is being written."""


def batch_limits(section: Batching) -> BatchLimits:
    """The limits of the micro-batcher."""
    return BatchLimits(
        tokens_max=section.tokens_max,
        items_max=section.items_max,
        wait_ms_max=section.wait_ms_max,
        queue_max=section.queue_max,
        look_ahead=section.items_max * 4,
        latency_ms=section.latency_ms,
    )


def window_limits(section: Scoring) -> WindowLimits:
    """How long texts are cut."""
    return WindowLimits(section.window_tokens_max, section.window_overlap_tokens, section.windows_max)


def explain_policy(section: Scoring) -> ExplainPolicy:
    """Which scores are explained."""
    return ExplainPolicy(
        risk_score_min=section.explain_risk_score_min,
        queue_max=section.explain_queue_max,
        share_max=section.explain_share_max,
        limits=ExplainLimits(section.explain_words_max, section.explain_spans_max),
    )


def review_policy(section: Reviews) -> ReviewPolicy | None:
    """Which pairs are asked to be labelled; None: none."""
    policy = ReviewPolicy(section.random_share, section.unsure_band, section.unsure_share, section.text_bytes_max)
    return policy if section.enabled else None


def shedding(settings: Settings) -> Shedding | None:
    """Which documents are given up; None: none."""
    section = settings.overload
    if section.mode == "wait":
        return None
    age_ms = int(section.shed_age_s * 1000) or None
    queue_min = max(1, min(settings.batching.queue_max, settings.stages.in_flight_max) // 2)
    return Shedding(frozenset(section.shed_kinds), age_ms, queue_min, section.dead_letters)


def kafka_config(section: Kafka, client_id: str) -> KafkaConfig:
    """The connection's configuration, with the secret read from its file."""
    return KafkaConfig(
        bootstrap_servers=section.bootstrap_servers,
        client_id=client_id,
        security_protocol=section.security_protocol,
        sasl_mechanism=section.sasl_mechanism,
        sasl_username=section.sasl_username,
        sasl_password=read_secret("kafka.sasl_password_file", section.sasl_password_file) or "",
        ssl_cafile=str(section.ssl_cafile) if section.ssl_cafile else None,
        session_timeout_ms=section.session_timeout_ms,
        rebalance_timeout_ms=section.rebalance_timeout_ms,
        transactions=section.delivery == "exactly_once",
        transaction_timeout_ms=section.transaction_timeout_ms,
        transaction_call_timeout_ms=section.transaction_calls_ms,
        message_bytes_max=section.message_bytes_max,
        compression=None if section.compression == "none" else section.compression,
    )


def topics_of(settings: Settings) -> list[TopicInfo]:
    """Every topic that the settings name, as `topics create` makes it."""
    t = settings.topics
    durable = {"min.insync.replicas": str(min(2, t.replication)), "unclean.leader.election.enable": "false"}
    appended = {**durable, "message.timestamp.type": "LogAppendTime"}
    signals = {**appended, "retention.ms": str(t.signals_retention_d * DAY_MS)}
    alerts = {**appended, "cleanup.policy": "compact"}
    state = {**appended, "cleanup.policy": "compact", **STATE_CLEANING}
    reviews = {**appended, "retention.ms": str(t.reviews_retention_d * DAY_MS)}
    return [
        *(TopicInfo(feed.topic, feed.partitions, t.replication, appended) for feed in settings.feed),
        TopicInfo(t.signals, t.partitions, t.replication, signals),
        TopicInfo(t.alerts, t.partitions, t.replication, alerts),
        TopicInfo(t.state, t.partitions, t.replication, state),
        TopicInfo(t.rollups, t.partitions, t.replication, signals),
        TopicInfo(t.rollups_state, t.partitions, t.replication, state),
        TopicInfo(t.dead_letters, 1, t.replication, appended),
        TopicInfo(t.reviews, 1, t.replication, reviews),
        TopicInfo(t.labels, 1, t.replication, {**appended, "retention.ms": "-1"}),
    ]


def check_append_times(there: Mapping[str, TopicInfo], names: Iterable[str]) -> None:
    """Raise OperatorError where one of these topics keeps its producers' times instead of the broker's."""
    for name in names:
        kind = there[name].config.get("message.timestamp.type", "LogAppendTime")
        if kind != "LogAppendTime":
            problem = f"its message.timestamp.type is {kind}, so arrivals would be the producers' clocks"
            raise OperatorError("topic", name, problem, f"set message.timestamp.type=LogAppendTime on {name}")


def check_partitions(there: Mapping[str, TopicInfo], signals: str, state: str, setting: str = "topics.state") -> None:
    """Raise OperatorError where a lane of signals would look for its memory in a partition that is not there."""
    mine, kept = there[signals].partitions, there[state].partitions
    if mine != kept:
        problem = f"it has {kept} partitions and {signals!r} has {mine}: an entity's memory is kept by the partition"
        fix = (
            f"name a new topic in {setting}, run `riskstream topics create` with topics.partitions = {mine}, and "
            f"start without memory; or go back to a {signals!r} with {kept} partitions"
        )
        raise OperatorError(setting, state, problem, fix)


def topics_used(settings: Settings, stages: Collection[str], *, rollups: bool = False) -> list[str]:
    """The names of the topics that these stages read or write; `rollups` where a rule is about others than entities."""
    t = settings.topics
    reviews = [t.reviews] if settings.reviews.enabled else []
    names = {
        "score": [*(feed.topic for feed in settings.feed), t.signals, t.dead_letters, *reviews],
        "watch": [t.signals, t.alerts, t.state, t.dead_letters],
        "serve": [t.alerts, *([t.state] if settings.http.entity_bytes_max else [])],
    }
    if rollups:
        names["score"].append(t.rollups)
        names["watch"] += [t.rollups, t.rollups_state]
    return list(dict.fromkeys(name for stage in stages for name in names[stage]))


def load_scorer(section: Models) -> Scorer:
    """The model that the settings name, fetched, verified and loaded. Takes seconds; runs on any thread."""
    from riskstream.registry.signatures import fetch
    from riskstream.registry.store import opened

    return load_version(fetch(opened(section.root, section.cache), section.name, section.signers_file), section)


def load_version(directory: Path, section: Models) -> Scorer:
    """The model in a version's directory, on the device that the settings say."""
    from riskstream.scoring.backends import load

    threads = section.threads or usable_cores()
    return load(directory, backend=section.backend, device=section.device, dtype=section.dtype, threads=threads)
