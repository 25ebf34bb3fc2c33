"""The published records: what users read from our topics. All are frozen values.

    riskstream.signals  Signal (with its Mention)
    riskstream.alerts   Alert (with its SubjectRef, Mention, Evidence)

Rule 1. The fields, in this order, are the JSON. Changes only add fields, each with a default, so that a record of
        another version is still read.
Rule 2. A time is ISO 8601 text with milliseconds and its name ends in `_at`; a probability has four decimals.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SCHEMA = 1

Severity = Literal["watch", "material", "severe"]
Stance = Literal["report", "unconfirmed", "denial", "settled"]
"""How a text stands to what it tells; `stance.py` says how that is told."""
SEVERITIES: tuple[Severity, ...] = ("watch", "material", "severe")
MARKET = "*"
"""The entity id of a signal that is about no watched entity."""


class Mention(msgspec.Struct, frozen=True, gc=False):
    """A watched entity found in a document. `mention` is the name as it stands in the text; `relevance` is 0 to 1."""

    id: str
    name: str
    mention: str
    relevance: float


class Passage(msgspec.Struct, frozen=True, gc=False):
    """The part of a long text that speaks: code points `start` to `end` of the feed's own `text`, the worst of so many
    windows; `left_out` would have been read, too, but for `scoring.windows_max`."""

    start: int
    end: int
    windows: int
    left_out: int = 0


class Signal(msgspec.Struct, frozen=True, gc=False):
    """What one document says about one entity; published to `riskstream.signals`, key = entity id.

    `spans` are (start, end, weight) in code points of `snippet`: the words that moved `risk_score`, and by how much the
    log-odds of their sentence fall without them. `passage` is None where the text was read whole.
    """

    signal_id: str
    document_id: str
    revision: bool
    entity: Mention
    published_at: str
    received_at: str
    scored_at: str
    late: bool
    clamped: bool
    source: str
    kind: str
    lang: str
    title: str
    snippet: str
    url: str
    sentiment: dict[str, float]
    severity: dict[str, float]
    risk: dict[str, float]
    topic: dict[str, float]
    risk_score: float
    fingerprint: str
    model: str
    calibration: str = ""
    voice: str = ""
    weight: float = 1.0
    stance: Stance = "report"
    sketch: str = ""
    spans: tuple[tuple[int, int, float], ...] = ()
    passage: Passage | None = None
    schema: int = SCHEMA


class SubjectRef(msgspec.Struct, frozen=True, gc=False):
    """What an alert is about."""

    by: str
    id: str
    name: str

    @property
    def key(self) -> str:
        """How its lane calls it: the id of an entity, `by:id` of another."""
        return self.id if self.by == "entity" else f"{self.by}:{self.id}"


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One signal behind an alert. `spans` are (start, end, weight) in code points of `text`, at most 500 long.

    `value` is the rule's field in this text. `story` names its story, first told at `story_since` by `voice`; before
    this text it was told `copies` times, and by now `carriers` sources have carried it.
    """

    signal_id: str
    title: str
    text: str
    source: str
    url: str
    published_at: str
    risk_score: float
    spans: tuple[tuple[int, int, float], ...] = ()
    value: float = 0.0
    kind: str = ""
    stance: Stance = "report"
    voice: str = ""
    story: str = ""
    story_since: str = ""
    copies: int = 0
    carriers: int = 1
    received_at: str = ""
    scored_at: str = ""


class Holding(msgspec.Struct, frozen=True):
    """A holding that drives a portfolio's alert: its share of the exposure, its own value, and its part of the alert's
    value, which is share times value."""

    id: str
    name: str
    share: float
    value: float
    contribution: float


Confirmation = Literal["unconfirmed", "reported", "official"]
"""What stands behind an alert: talk alone, a report of a fact, or a filing."""
AlertState = Literal["firing", "updated", "resolved"]
AlertReason = Literal[
    "fired", "evidence", "raised", "lowered", "denied", "cleared", "expired", "rule_changed", "rule_removed",
    "entity_removed",
]  # fmt: skip


class Alert(msgspec.Struct, frozen=True, gc=False):
    """One record of an alert's life, published to `riskstream.alerts` with key = alert id. The last is the truth.

    `sources` are independent voices; `why` says in a sentence what made this record.
    """

    alert_id: str
    sequence: int
    rule: str
    rule_version: str
    subject: SubjectRef
    entity: Mention | None
    state: AlertState
    severity: Severity
    shape: str
    reason: AlertReason
    value: float
    limit: float
    starts_at: str
    updated_at: str
    ends_at: str | None
    first_seen_at: str
    sources: int
    documents: int
    stories: int
    summary: str
    labels: dict[str, str]
    evidence: tuple[Evidence, ...]
    model: str
    holdings: tuple[Holding, ...] = ()
    calibration: str = ""
    confirmation: Confirmation = "unconfirmed"
    why: str = ""
    schema: int = SCHEMA
