"""Every noun of riskstream, in the order in which they flow. All are frozen values.

    Message → Document | Rejected → Encoded → Batch → Prediction → Signal → WindowView → Verdict → Life → Alert
       └─ Position rides on everything until it is committed

Rule 1. `Signal` and `Alert` are the published contracts; they stand in `contracts.py` and are names of this file too.
Rule 2. Inside, a time is an int of milliseconds since 1970 UTC and its name ends in `_ms`; in a published record
        it is text and its name ends in `_at` (`clock.py` turns one into the other).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from riskstream.core.contracts import (
    MARKET as MARKET,
)
from riskstream.core.contracts import (
    SCHEMA as SCHEMA,
)
from riskstream.core.contracts import (
    SEVERITIES as SEVERITIES,
)
from riskstream.core.contracts import (
    Alert as Alert,
)
from riskstream.core.contracts import (
    AlertReason as AlertReason,
)
from riskstream.core.contracts import (
    AlertState as AlertState,
)
from riskstream.core.contracts import (
    Confirmation as Confirmation,
)
from riskstream.core.contracts import (
    Evidence as Evidence,
)
from riskstream.core.contracts import (
    Mention as Mention,
)
from riskstream.core.contracts import (
    Passage as Passage,
)
from riskstream.core.contracts import (
    Severity as Severity,
)
from riskstream.core.contracts import (
    Signal as Signal,
)
from riskstream.core.contracts import (
    Stance as Stance,
)
from riskstream.core.contracts import (
    SubjectRef as SubjectRef,
)

Headers = tuple[tuple[str, bytes], ...]


class Partition(msgspec.Struct, frozen=True, gc=False, order=True):
    """One partition of a topic."""

    topic: str
    partition: int


class Position(msgspec.Struct, frozen=True, gc=False, order=True):
    """Where a record lies in the broker."""

    topic: str
    partition: int
    offset: int


class Message(msgspec.Struct, frozen=True, gc=False):
    """A record as the broker gave it. `timestamp_ms` is the broker's append time where the topic keeps one."""

    position: Position
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to be written. Without a `partition` the key decides; the same key always goes to the same partition."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class Reason(StrEnum):
    """Why an input was refused: the closed set behind the metric label and the dead letter's header."""

    NULL_VALUE = "null_value"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    EMPTY_TEXT = "empty_text"
    BAD_CHARACTERS = "bad_characters"
    BAD_TIME = "bad_time"
    MODEL_ERROR = "model_error"
    SHED = "shed"


class Rejected(msgspec.Struct, frozen=True):
    """A message that cannot be scored, and why. `detail` names the field and its value for a person."""

    position: Position
    reason: Reason
    detail: str


class Document(msgspec.Struct, frozen=True):
    """One text of a feed, checked.

    `text` is what the model reads and entities are matched in: title, newline, body, unescaped and NFKC. The body
    begins at `body_at`.
    `event_ms` is `published_ms`, or the arrival where `clamped`. `fingerprint` names the text: 16 hex digits.
    """

    position: Position
    feed: str
    document_id: str
    text: str
    title: str
    snippet: str
    source: str
    author: str
    kind: str
    lang: str
    url: str
    entities: tuple[str, ...]
    published_ms: int
    received_ms: int
    event_ms: int
    late: bool
    clamped: bool
    fingerprint: str
    body_at: int = 0


class Watched(msgspec.Struct, frozen=True):
    """One line of the watchlist."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    parent: str = ""
    weight: float = 1.0


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """A place in a lane's order. Results for an epoch that has closed are dropped."""

    lane: Partition
    epoch: int
    sequence: int


class Encoded(msgspec.Struct, frozen=True):
    """One (document, entity) pair as token ids. `index` is the pair's place among those of its ticket."""

    ticket: Ticket
    index: int
    tokens: tuple[int, ...]


class Batch(msgspec.Struct, frozen=True):
    """Pairs that go through the model together, and what it waited."""

    items: tuple[Encoded, ...]
    waited_ms: int

    @property
    def tokens(self) -> int:
        """The tokens that belong to texts."""
        return sum(len(item.tokens) for item in self.items)

    @property
    def padded(self) -> int:
        """The tokens that a rectangle around the batch holds."""
        return len(self.items) * max((len(item.tokens) for item in self.items), default=0)


class Labels(msgspec.Struct, frozen=True):
    """The label names of each head, in the order of the model's outputs; an empty head is not there."""

    sentiment: tuple[str, ...]
    severity: tuple[str, ...]
    risk: tuple[str, ...]
    topic: tuple[str, ...] = ()


class Prediction(msgspec.Struct, frozen=True):
    """The model's calibrated probabilities for one pair, each head in the order of `Labels`."""

    sentiment: tuple[float, ...]
    severity: tuple[float, ...]
    risk: tuple[float, ...]
    topic: tuple[float, ...]
    risk_score: float


class WindowView(msgspec.Struct, frozen=True, gc=False):
    """What a rule sees of a subject at one moment. `evidence` holds signal ids, most telling first."""

    value: float
    documents: int
    sources: int
    stories: int
    evidence: tuple[str, ...]


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a rule says of a view: the highest severity whose limit is reached, or None; whether an open alert holds."""

    severity: Severity | None
    holds: bool
    limit: float


Phase = Literal["idle", "pending", "firing", "cooling"]


class Life(msgspec.Struct, frozen=True, gc=False):
    """Where one rule stands for one subject.

    idle → pending (held, not long enough) → firing → cooling (resolved a moment ago) → idle; `streak` counts episodes.
    """

    phase: Phase = "idle"
    since_ms: int = 0
    gap_since_ms: int | None = None
    streak: int = 0
