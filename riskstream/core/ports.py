"""What the service needs of the broker and of the model. A port's real and plain edge pass the same tests.

    Broker ── source(group, topics) ──► Source   the group's share of the partitions, raw messages
           ── lane(partition, …)    ──► Lane     one partition's transactional producer: results and offset, or neither
           ── state(topic)          ──► StateLog what a lane keeps, the last value of each key
           ── reader(topic)         ──► Reader   everything committed in a topic, without a group
           ── publisher()           ──► Publisher  plain writes
           ── topics / create_topics / close

Rule 1. A lane is opened before the partition's committed offset is read: opening fences and aborts the old owner.
Rule 2. `Lane.commit` returns only when all outputs and the offset are committed together, or raises `LaneLost`.
Rule 3. A source's callbacks run inside the rebalance: `on_revoked` returns before another process gets the partitions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from riskstream.core.gaps import Bounds
from riskstream.core.passages import Span
from riskstream.core.records import Encoded, Labels, Message, Output, Partition, Prediction

Partitions = frozenset[Partition]
Callback = Callable[[Partitions], Awaitable[None]]
Ends = Mapping[Partition, int]
"""The offset behind the last record of each partition, the marker of its transaction included."""


class Start(msgspec.Struct, frozen=True):
    """Where to begin in a partition that never committed: `latest`, `earliest`, or at a time (`at_ms`)."""

    where: str = "latest"
    at_ms: int | None = None


class Resume(msgspec.Struct, frozen=True):
    """Where a group stands in a partition: the next offset, and what the lane wrote beside it."""

    offset: int
    metadata: str = ""


class StateRead(msgspec.Struct, frozen=True):
    """What a partition of a state log holds: the last value of each key, in the order of the last write. `count` is
    how many records were read for it, `end` the offset up to which."""

    records: dict[bytes, bytes]
    count: int
    end: int


class TopicInfo(msgspec.Struct, frozen=True):
    """A topic as the broker has it. `config` holds the broker's setting names and values as text."""

    name: str
    partitions: int
    replication: int = 1
    config: dict[str, str] = {}


class Source(Protocol):
    """A member of a consumer group. Nothing is committed through it: lanes do that."""

    async def start(self, on_assigned: Callback, on_revoked: Callback) -> None:
        """Join the group. Every partition is paused when `on_assigned` is called; `resume` starts it."""

    async def poll(self, records_max: int, timeout_ms: int) -> Mapping[Partition, Sequence[Message]]:
        """Messages of resumed partitions in offset order; empty after `timeout_ms`. Keep calling it while paused."""

    def seek(self, partition: Partition, offset: int) -> None:
        """The next message of this partition is the one at `offset`."""

    def pause(self, partitions: Partitions) -> None:
        """Deliver nothing of these until they are resumed."""

    def resume(self, partitions: Partitions) -> None:
        """Deliver these again."""

    def assigned(self) -> Partitions:
        """What this member owns now."""

    async def start_offset(self, partition: Partition, start: Start) -> int:
        """The offset at which a partition that never committed begins."""

    async def end_offset(self, partition: Partition) -> int:
        """The last stable offset: what a committed reader can read up to, exclusive."""

    async def offset_at(self, partition: Partition, at_ms: int) -> int:
        """The first offset with a timestamp at or after `at_ms`; the end if there is none."""

    async def bounds(self, partition: Partition) -> Bounds:
        """What the broker holds of a partition, up to the last stable offset."""

    def position(self, partition: Partition) -> int | None:
        """The offset of what is delivered next, past what nobody delivers; None where it is not assigned."""

    def lag(self, partition: Partition) -> int | None:
        """Records between the position and the last stable offset, as of the last fetch; None while it is paused and
        until the first fetch after that."""

    async def confirm(self, partition: Partition) -> bool:
        """Ask the group now: True only if a heartbeat sent after this call is acknowledged, in the generation that
        gave us this partition, and it is still ours."""

    async def stop(self) -> None:
        """Leave the group; `on_revoked` is called for what is still owned."""


class Lane(Protocol):
    """One input partition's transactional producer."""

    async def open(self) -> Resume | None:
        """Fence the old owner; return the committed position, or None where the group never committed here."""

    async def commit(self, outputs: Sequence[Output], next_offset: int, metadata: str = "") -> Ends:
        """One transaction: all `outputs` and the input offset. Given back is where each partition that was written to
        ends now. Raises `LaneLost`; then nothing of it is committed unless the commit itself was in flight."""

    async def close(self) -> None:
        """Let go of the producer. Never raises."""


class StateLog(Protocol):
    """A compacted topic that lanes keep their state in, each in the partition of its own number."""

    async def read(self, partition: int, known_end: int | None = None) -> StateRead | None:
        """All that a partition holds, up to its last stable offset as it is now; None where that is `known_end`.

        To be called by the lane that has fenced the old owner. Raises LaneLost where the broker is silent."""


class Reader(Protocol):
    """Reads the committed records of a topic, all partitions, without a group."""

    def read(self, from_offsets: Mapping[int, int] | None = None) -> AsyncIterator[Message]:
        """From the beginning, or from the given offset per partition, up to the ends as they are at the call."""

    async def offsets_at(self, at_ms: int) -> Mapping[int, int]:
        """Per partition the first offset with a timestamp at or after `at_ms`; the end where there is none."""

    async def bounds(self) -> Mapping[int, Bounds]:
        """Per partition what the broker holds, up to the last stable offset."""

    def follow(self, from_offsets: Mapping[int, int] | None = None) -> AsyncIterator[Message]:
        """From the beginning, or from the given offset per partition, and on without end; all partitions."""


class Publisher(Protocol):
    """Plain writes, each acknowledged by all replicas."""

    async def send(self, outputs: Sequence[Output]) -> None:
        """Write them all, in order per partition; returns when all are acknowledged."""

    async def close(self) -> None:
        """Let go of the producer."""


class Broker(Protocol):
    """A connection to a broker, from which the others are made."""

    def source(self, group: str, topics: Sequence[str]) -> Source:
        """A new member of `group` that reads `topics`."""

    def lane(self, partition: Partition, group: str, transactional_id: str) -> Lane:
        """The lane of an input partition, not yet open."""

    def state(self, topic: str) -> StateLog:
        """The state log in a topic."""

    def reader(self, topic: str) -> Reader:
        """A reader of one topic."""

    async def publisher(self) -> Publisher:
        """A started publisher."""

    async def topics(self) -> Mapping[str, TopicInfo]:
        """The topics that there are. Raises OperatorError where the broker cannot be reached or refuses us."""

    async def create_topics(self, topics: Sequence[TopicInfo]) -> None:
        """Create what is missing; existing topics are left as they are."""

    async def topic_ids(self, topics: Sequence[str]) -> Mapping[str, str]:
        """The id of each of these topics that is there, which changes where a topic is deleted and made again; empty
        where the broker tells none. Raises BrokerUnreachable, OperatorError for a missing right."""

    async def members(self, group: str) -> int:
        """How many members a consumer group has now. Raises as above."""

    async def close(self) -> None:
        """Let go of every connection."""


class Scorer(Protocol):
    """A loaded model version."""

    name: str
    """`<model>@<version>`, as published in `Signal.model`."""
    labels: Labels
    calibration: str
    """Names the calibration: the same weights with other temperatures are another one."""
    backend: str
    """What it runs on, for a person: `torch cpu float32`."""
    pads: bool
    """Whether the rows of a batch are padded to its longest."""
    tokens_max: int
    """The longest row that it reads, its frame and the entity included."""
    per_log: float
    """How much the worst of n windows is lowered, for each unit of ln n (`core/passages.py`)."""

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, ...]]:
        """Token ids of (entity, text) pairs, truncated to the model's limit; an empty entity means the text alone.
        Runs on any thread, never on the event loop."""

    def pieces(self, text: str) -> list[Span]:
        """The place of each token of a text by itself, in order. Runs on any thread, never on the event loop."""

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        """Calibrated probabilities, one per item, in order. Runs on the model's own thread."""
