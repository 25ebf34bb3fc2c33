"""The parts of a daemon, made from its settings: each function reads what one part needs and says what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from riskstream.core.batching import BatchLimits
from riskstream.core.clock import parse_ms
from riskstream.core.entities import Matcher
from riskstream.core.errors import OperatorError
from riskstream.core.feeds import Decoder, FeedSpec
from riskstream.core.overload import Shedding
from riskstream.core.passages import WindowLimits
from riskstream.core.ports import Scorer, Start, TopicInfo
from riskstream.core.records import Watched
from riskstream.core.reviews import ReviewPolicy
from riskstream.core.rulefile import check_labels, parse_files
from riskstream.core.rules import RuleSet
from riskstream.core.watchlist import parse_watchlist, watchlist_hash
from riskstream.kafka.config import KafkaConfig
from riskstream.scoring.explain import ExplainLimits
from riskstream.sections import Batching, Feed, Models, Scoring
from riskstream.sections.kafka import Kafka
from riskstream.sections.learning import Reviews
from riskstream.service.cores import usable_cores
from riskstream.service.explaining import ExplainPolicy
from riskstream.service.pipeline import Preparer
from riskstream.settings import Settings, read_secret
from riskstream.telemetry.events import ConfigKind

DAY_MS = 86_400_000
CASES_SUFFIX = ".test.toml"
"""Files beside the rules that test them."""
STATE_CLEANING = {
    "segment.bytes": str(64 * 2**20),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": "600000",
}
"""The log that a lane reads when it is assigned stays small: at most a tenth, and ten minutes, of what is out of date,
besides the segment that is being written."""


def read_text(setting: str, path: Path) -> str:
    """A file's text. Raises OperatorError naming the setting that points to it."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        fix = f"correct {setting} or put the file there"
        raise OperatorError(setting, str(path), f"cannot be read: {error.strerror}", fix) from None
    except UnicodeDecodeError as error:
        raise OperatorError(setting, str(path), f"is not UTF-8: {error.reason}", "save it as UTF-8") from None


def file_hash(text: str) -> str:
    """Enough of a text's hash to compare two pods."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]


def rule_files(path: Path, named_by: str = "watch.rules") -> list[tuple[str, str]]:
    """The name and text of a rule file, or of every rule file of a directory; `named_by` points to it."""
    if not path.is_dir():
        return [(str(path), read_text(named_by, path))]
    files = sorted(file for file in path.glob("*.toml") if not file.name.endswith(CASES_SUFFIX))
    if not files:
        raise OperatorError(named_by, str(path), "is a directory without rule files", "put *.toml files into it")
    return [(str(file), read_text(named_by, file)) for file in files]


def load_rules(path: Path, named_by: str = "watch.rules") -> RuleSet:
    """The rules of a file or a directory; `named_by` is the setting or option that points to it."""
    return parse_files(rule_files(path, named_by))


def check_rules_fit(rules: RuleSet, scorer: Scorer) -> None:
    """Raise OperatorError where a rule names a label that the model does not have."""
    for mistake in check_labels(rules, scorer.labels):
        raise mistake


def load_watchlist(path: Path, named_by: str = "watch.watchlist") -> dict[str, Watched]:
    """The watched entities of a file, by id; `named_by` is the setting or option that points to it."""
    return {watched.id: watched for watched in parse_watchlist(read_text(named_by, path), str(path))}


def decoder_of(feed: Feed) -> Decoder:
    """The decoder of one feed."""
    return Decoder(
        FeedSpec(
            name=feed.name,
            topic=feed.topic,
            kind=feed.kind,
            fields=feed.fields,
            lang=feed.lang,
            market=feed.market,
            weight=feed.weight,
            source_weights=feed.source_weights,
            mask=feed.mask,
            mask_names=feed.mask_names,
            bytes_max=feed.bytes_max,
            age_max_s=feed.age_max_s,
            ahead_max_s=feed.ahead_max_s,
        )
    )


def start_of(feed: Feed) -> Start:
    """Where a feed begins. Raises OperatorError where it is neither a word nor a time."""
    if feed.start in ("latest", "earliest"):
        return Start(feed.start)
    try:
        return Start("time", parse_ms(feed.start))
    except ValueError:
        fix = "write latest, earliest or an ISO 8601 time"
        raise OperatorError(f"feed {feed.name!r} start", feed.start, "is no place to start", fix) from None


class Inputs(msgspec.Struct, frozen=True):
    """What a daemon reads before it touches the broker or the model. `hashes` are those of rules and watchlist."""

    starts: dict[str, Start]
    decoders: dict[str, Decoder]
    watchlist: dict[str, Watched]
    rules: RuleSet
    hashes: dict[ConfigKind, str]

    def preparer(self, scorer: Scorer, entities_max: int, limits: WindowLimits) -> Preparer:
        """The first step of scoring, for all feeds."""
        return Preparer(self.decoders, Matcher(tuple(self.watchlist.values())), scorer, entities_max, limits)


def read_inputs(settings: Settings) -> Inputs:
    """Read and check every file that the settings name. Raises OperatorError for the first mistake."""
    rules, watchlist = settings.watch.rules, load_watchlist(settings.watch.watchlist)
    hashes: dict[ConfigKind, str] = {
        "rules": file_hash("\n".join(text for _, text in rule_files(rules))),
        "watchlist": watchlist_hash(tuple(watchlist.values())),
    }
    return Inputs(
        starts={feed.topic: start_of(feed) for feed in settings.feed},
        decoders={feed.topic: decoder_of(feed) for feed in settings.feed},
        watchlist=watchlist,
        rules=load_rules(rules),
        hashes=hashes,
    )


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
        "serve": [t.alerts],
    }
    if rollups:
        names["score"].append(t.rollups)
        names["watch"] += [t.rollups, t.rollups_state]
    return list(dict.fromkeys(name for stage in stages for name in names[stage]))


def load_scorer(section: Models) -> Scorer:
    """The model that the settings name, fetched, verified and loaded. Takes seconds; runs on any thread."""
    from riskstream.registry.store import resolve

    return load_version(resolve(section.root, section.name, section.cache), section)


def load_version(directory: Path, section: Models) -> Scorer:
    """The model in a version's directory, on the device that the settings say."""
    from riskstream.scoring.backends import load

    threads = section.threads or usable_cores()
    return load(directory, backend=section.backend, device=section.device, dtype=section.dtype, threads=threads)
