"""What can happen in a daemon that its operator should know: one frozen record each.

    score   DocumentsDecided  Tokenised  CacheHits  BatchScored  BatchBisected  SignalsPublished  LateSignals
    lanes   LaneChanged  LaneRestored  LaneFenced  LagSeen  Committed  TransactionLost  DeadLetterCut
    watch   AlertPublished  AlertsHeld  AlertsOpen  StateSize  StateEvicted  SinkFailed
    model   ModelLoaded  ModelRefused  DriftSeen  Explanations   (events_model.py; see trials.py and watchdogs.py too)
    life    ServiceStarted  ServiceStopping  ServiceStopped  ConfigLoaded  ConfigRefused  LoopLag  RequestFailed

Rule 1. The name says what happened; a batch makes one record, with the counts of what is in it.
Rule 2. A field that becomes a label comes from a closed set or from the configuration (feed, rule, sink, topic).
Rule 3. `detail` and `error` are for a person. They may name a key or an offset; they never hold a document's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from riskstream.core.asking.labels import Why
from riskstream.core.records import AlertReason, AlertState, Reason, Severity
from riskstream.core.rules.held import HeldReason
from riskstream.telemetry.configuration import ConfigKind as ConfigKind
from riskstream.telemetry.configuration import ConfigLoaded as ConfigLoaded
from riskstream.telemetry.configuration import ConfigRefused as ConfigRefused
from riskstream.telemetry.events_model import DriftSeen as DriftSeen
from riskstream.telemetry.events_model import Explanations as Explanations
from riskstream.telemetry.events_model import ModelLoaded as ModelLoaded
from riskstream.telemetry.events_model import ModelRefused as ModelRefused
from riskstream.telemetry.trials import Trial
from riskstream.telemetry.watchdogs import Watchdog

Outcome = Literal["scored", "rejected", "unwatched", "duplicate", "shed"]
OUTCOMES: tuple[Outcome, ...] = ("scored", "rejected", "unwatched", "duplicate", "shed")

LaneState = Literal["opening", "restoring", "ready", "draining", "stopped", "closed"]
LANE_STATES: tuple[LaneState, ...] = ("opening", "restoring", "ready", "draining", "stopped", "closed")
"""`stopped`: reading cannot go on and a person must act. `closed`: the partition is no longer ours."""


class DocumentsDecided(msgspec.Struct, frozen=True):
    """What became of a batch of one feed's messages; `rejected` splits the outcome of that name by its reason."""

    feed: str
    outcomes: Mapping[Outcome, int]
    rejected: Mapping[Reason, int] = {}


class Tokenised(msgspec.Struct, frozen=True):
    """A group of messages was read, searched for names and tokenised: `texts` pairs."""

    texts: int
    seconds: float


class CacheHits(msgspec.Struct, frozen=True):
    """Pairs that were answered without the model, because the same text was scored before."""

    count: int


class BatchScored(msgspec.Struct, frozen=True):
    """A batch went through the model. `padded` is `tokens` where the backend does not pad."""

    texts: int
    tokens: int
    padded: int
    queue_ms: float
    inference_s: float


class BatchBisected(msgspec.Struct, frozen=True):
    """A batch failed in the model and is tried again in halves."""

    texts: int
    error: str


class SignalsPublished(msgspec.Struct, frozen=True):
    """Signals of a feed were committed. `entities_dropped` mentions were beyond `entities_per_document_max`; `reviews`
    are the pairs that were asked to be labelled, by why."""

    feed: str
    count: int
    entities_dropped: int = 0
    reviews: Mapping[Why, int] = {}


class LateSignals(msgspec.Struct, frozen=True):
    """Signals of a feed were older than `age_max_s`: published, and kept out of windows."""

    feed: str
    count: int


class LaneChanged(msgspec.Struct, frozen=True):
    """A lane is in another state now; `detail` says why where that is not plain."""

    stage: str
    topic: str
    partition: int
    state: LaneState
    detail: str = ""


class LaneRestored(msgspec.Struct, frozen=True):
    """A lane has its state back from the log."""

    stage: str
    topic: str
    partition: int
    records: int
    subjects: int
    seconds: float


class LaneFenced(msgspec.Struct, frozen=True):
    """A lane was lost while we held it: another owner fenced it, or the broker's answer never came."""

    stage: str
    topic: str
    partition: int
    detail: str = ""


class LagSeen(msgspec.Struct, frozen=True):
    """How many records of a topic this daemon has not committed yet, over the partitions it owns: those that it has
    not read, as of the last fetch (a paused partition is not fetched), and those in flight."""

    topic: str
    records: int


class Committed(msgspec.Struct, frozen=True):
    """A transaction went through: `records` inputs became `outputs`. `end_to_end_ms` has one sample an input:
    publication (score) or arrival (watch) to now."""

    stage: str
    topic: str
    partition: int
    records: int
    outputs: int
    seconds: float
    end_to_end_ms: tuple[float, ...] = ()


class TransactionLost(msgspec.Struct, frozen=True):
    """A transaction was aborted, or its outcome is unknown. Its inputs come again; nothing is lost."""

    stage: str
    topic: str
    partition: int
    outcome: Literal["aborted", "unknown"]
    detail: str = ""


class DeadLetterCut(msgspec.Struct, frozen=True):
    """A dead letter could not be written whole and went without its body."""

    topic: str
    partition: int
    offset: int
    detail: str


class AlertPublished(msgspec.Struct, frozen=True):
    """One record of an alert's life was committed."""

    alert_id: str
    sequence: int
    rule: str
    subject_by: str
    subject_id: str
    state: AlertState
    severity: Severity
    reason: AlertReason
    value: float
    limit: float
    stories: int = 0
    sources: int = 0


class AlertsHeld(msgspec.Struct, frozen=True):
    """A rule would have fired, and a limit of the operator's held it back."""

    rule: str
    reason: HeldReason
    count: int


class AlertsOpen(msgspec.Struct, frozen=True):
    """All alerts that one lane has open now, as (rule, severity) → count. Metrics add the lanes up."""

    topic: str
    partition: int
    counts: Mapping[tuple[str, Severity], int]


class StateSize(msgspec.Struct, frozen=True):
    """How many subjects one lane keeps. Metrics add the lanes up."""

    topic: str
    partition: int
    subjects: int


class StateEvicted(msgspec.Struct, frozen=True):
    """Subjects left a lane's state."""

    reason: Literal["idle", "limit"]
    count: int


class SinkFailed(msgspec.Struct, frozen=True):
    """A sink did not take what it was sent. `will_retry` is false where it is given up."""

    sink: str
    error: str
    will_retry: bool


class ServiceStarted(msgspec.Struct, frozen=True):
    """The daemon runs."""

    version: str
    stages: tuple[str, ...]
    http: str = ""


class ServiceStopping(msgspec.Struct, frozen=True):
    """The daemon was told to stop, or must."""

    reason: str


class ServiceStopped(msgspec.Struct, frozen=True):
    """Everything is drained, committed and closed."""

    seconds: float


class LoopLag(msgspec.Struct, frozen=True):
    """How much later than asked the event loop woke up."""

    seconds: float


class RequestFailed(msgspec.Struct, frozen=True):
    """A bug answered an HTTP request with 500. `route` is the pattern, never the path that was asked for."""

    method: str
    route: str
    error: str
    trace: str


Event = (
    DocumentsDecided | Tokenised | CacheHits | BatchScored | BatchBisected | SignalsPublished | LateSignals
    | LaneChanged | LaneRestored | LaneFenced | LagSeen | Committed | TransactionLost | DeadLetterCut
    | AlertPublished | AlertsHeld | AlertsOpen | StateSize | StateEvicted | SinkFailed
    | Trial | Watchdog | ModelLoaded | ModelRefused | DriftSeen | Explanations | ConfigLoaded | ConfigRefused
    | ServiceStarted | ServiceStopping | ServiceStopped | LoopLag | RequestFailed
)  # fmt: skip
