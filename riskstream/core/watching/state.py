"""What a lane remembers as small records of a compacted log, and back.

    Watch ─ Journal ─► Change(key, state, due) ─ encode() ─► key, value of the log
    Watch ◄─ Subject.wake() ◄─ Sleeper(raw records, due) ◄─ split() ◄─ the last value of each key

    key     subject|kind|bucket     ACME|signal|17   ACME|rule|credit-shock   |lane|
    value   {"v":1,"offset":4711,"due_ms":…,"state":{…}}

Rule 1. A record is written in the transaction of the signal that changed it, and carries that signal's offset. A lane
        never acts twice on what is at or below the greatest offset of its records.
Rule 2. What can be counted afresh from the remembered signals is not written: windows, sums, schedules.
Rule 3. A subject stays asleep, as the bytes that were read, until a signal of its own comes or something of it is due.
        `due_ms` may be too early, never too late: judging once more changes nothing.
Rule 4. Fields are only added, each with a default. Where that cannot be, the version rises: N and N-1 are read, and
        what is written is the operator's choice until every process is new enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import NamedTuple, TypeVar, cast

import msgspec

from riskstream.core.errors import OperatorError
from riskstream.core.watching.takers import LaneRules

VERSION = 1
"""The newest version that this release reads and may write."""
READABLE = (1,)
"""Every version that this release reads."""

SIGNAL, RULE, DENIAL, LANE = "signal", "rule", "denial", "lane"
"""The kinds of records."""

LANE_KEY = f"|{LANE}|".encode()

_T = TypeVar("_T", bound=msgspec.Struct)


class Change(NamedTuple):
    """A record to be written; a `state` of None is a tombstone. `due_ms`: when its subject wants to be judged next."""

    key: str
    state: msgspec.Struct | None
    due_ms: int | None = None


class LaneState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What belongs to a lane as a whole, written with every transaction. `partitions` is the count that the keys of
    its topic were spread over; `config` names the rules and the watchlist that its records were made under; `rules`
    is what they keep for the whole lane."""

    clock_ms: int
    partitions: int = 0
    config: str = ""
    late: int = 0
    dropped: int = 0
    rules: LaneRules = LaneRules()


class _Written(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    v: int
    offset: int
    state: msgspec.Struct
    due_ms: int | None = None


class _Read(msgspec.Struct, frozen=True, gc=False):
    v: int
    offset: int
    state: msgspec.Raw
    due_ms: int | None = None


class Sleeper:
    """The records of one subject as they were read from `topic`. `touched` is the offset of its newest signal."""

    __slots__ = ("_due_ms", "_records", "_rules_due_ms", "_topic", "touched")

    def __init__(self, topic: str) -> None:
        self.touched = -1
        self._topic = topic
        self._records: dict[tuple[str, str], tuple[bytes, msgspec.Raw]] = {}
        self._due_ms: int | None = None
        self._rules_due_ms: int | None = None

    def add(self, kind: str, bucket: str, key: bytes, record: _Read) -> None:
        """One record more. What is due stands in the newest signal's, or in a later one of a rule."""
        self._records[kind, bucket] = (key, record.state)
        if kind == SIGNAL and record.offset >= self.touched:
            self.touched, self._due_ms = record.offset, record.due_ms
        elif kind == RULE:
            self._rules_due_ms = earliest(self._rules_due_ms, record.due_ms)

    @property
    def due_ms(self) -> int | None:
        """Nothing of the subject is due before."""
        return earliest(self._due_ms, self._rules_due_ms)

    def names(self) -> Iterator[tuple[str, str]]:
        """Kind and bucket of every record."""
        return iter(self._records)

    def has(self, kind: str) -> bool:
        """There is a record of this kind."""
        return any(mine == kind for mine, _ in self._records)

    def load(self, kind: str, form: type[_T]) -> dict[str, _T]:
        """The states of one kind, by bucket. Raises OperatorError for one that is none."""
        found = {bucket: record for (mine, bucket), record in self._records.items() if mine == kind}
        return {bucket: load(form, state, self._topic, key) for bucket, (key, state) in found.items()}


def earliest(one_ms: int | None, other_ms: int | None) -> int | None:
    """The earlier of two times, either of which may be never."""
    if one_ms is None or other_ms is None:
        return other_ms if one_ms is None else one_ms
    return min(one_ms, other_ms)


class Kept(msgspec.Struct, frozen=True):
    """A partition of the log, split by subject, the one touched longest ago first. `offset` is the greatest input
    offset that any record knows, -1 without one."""

    lane: LaneState | None
    sleepers: dict[str, Sleeper]
    offset: int


class Journal:
    """The records that changed since they were last taken, each once."""

    def __init__(self) -> None:
        self._changed: dict[str, tuple[str, msgspec.Struct | None]] = {}

    def put(self, subject: str, kind: str, bucket: str, state: msgspec.Struct | None) -> None:
        """The record is this now; None: it goes."""
        self._changed[f"{subject}|{kind}|{bucket}"] = (subject, state)

    def take(self, due_ms: Callable[[str], int | None]) -> tuple[Change, ...]:
        """All changes, with the time at which each subject is due."""
        if not self._changed:
            return ()
        changes = tuple(Change(key, state, due_ms(subject)) for key, (subject, state) in self._changed.items())
        self._changed.clear()
        return changes


_ENCODER = msgspec.json.Encoder()
_READ = msgspec.json.Decoder(_Read)


def encode(change: Change, offset: int, version: int = VERSION) -> tuple[bytes, bytes | None]:
    """Key and value of a change that the input at `offset` made."""
    if change.state is None:
        return change.key.encode(), None
    return change.key.encode(), _ENCODER.encode(_Written(version, offset, change.state, change.due_ms))


def encode_lane(lane: LaneState, offset: int, version: int = VERSION) -> tuple[bytes, bytes]:
    """Key and value of the record of the lane itself."""
    return LANE_KEY, _ENCODER.encode(_Written(version, offset, lane))


def split(records: Mapping[bytes, bytes], topic: str) -> Kept:
    """The records of one partition of `topic`, by subject, the one touched longest ago first.

    Raises OperatorError for a record that this release cannot read.
    """
    sleepers: dict[str, Sleeper] = {}
    lane, greatest = None, -1
    for key, value in records.items():
        try:
            subject, kind, bucket = key.decode().rsplit("|", 2)
            record = _READ.decode(value)
        except (ValueError, RecursionError) as error:
            raise unreadable(topic, key, str(error)) from None
        if record.v not in READABLE:
            raise unreadable(topic, key, f"it has version {record.v}, this release reads {READABLE}")
        greatest = max(greatest, record.offset)
        if kind == LANE:
            lane = load(LaneState, record.state, topic, key)
        else:
            sleeper = sleepers.get(subject)
            if sleeper is None:
                sleeper = sleepers[subject] = Sleeper(topic)
            sleeper.add(kind, bucket, key, record)
    order = sorted(sleepers, key=lambda subject: (sleepers[subject].touched, subject))
    return Kept(lane, {subject: sleepers[subject] for subject in order}, greatest)


def load(form: type[_T], state: msgspec.Raw, topic: str, key: bytes) -> _T:
    """The state of a record. Raises OperatorError where it is none."""
    try:
        return cast("_T", _decoder(form).decode(state))
    except (ValueError, RecursionError) as error:
        raise unreadable(topic, key, str(error)) from None


@cache
def _decoder(form: type[msgspec.Struct]) -> msgspec.json.Decoder[msgspec.Struct]:
    return msgspec.json.Decoder(form)


def unreadable(topic: str, key: bytes, problem: str) -> OperatorError:
    """A record of the log that this release cannot read."""
    fix = (
        "run the release that wrote it; or, if it is a stranger's, delete it with a tombstone of its key; "
        "or name a new state topic and start without memory"
    )
    return OperatorError(f"state topic {topic!r}, record", key.decode(errors="replace"), problem, fix)
