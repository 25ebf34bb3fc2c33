"""What the watch stage remembers, kept by subject for whoever asks: the records of the state topic, as bytes.

    state topic ─ read to its end, then record by record ─► States ─► of(entity): its records and its lane's

Rule 1. Nothing is decoded before somebody asks.
Rule 2. The table is bounded in bytes: the subject that changed longest ago leaves first, and whoever asks for it is
        told that it is not whole, as it stays from then on.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from riskstream.core.errors import OperatorError
from riskstream.core.ports import Broker
from riskstream.core.reading.families import Families
from riskstream.core.records import Message, SubjectRef
from riskstream.core.watching.picture import Picture, picture
from riskstream.core.watching.state import LANE_KEY
from riskstream.service.stages.serving import read_and_follow
from riskstream.service.stages.watchlane import InForce
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import SinkFailed

RECORD_BYTES = 250
"""What Python adds to a record and its key."""
CUT_MAX = 200_000
"""Subjects that are known to be cut: 20 MB. Beyond it the first is taken for whole again."""
RETRY_S = 60.0


class _Subject:
    """Records by key, and the partition that they are in."""

    __slots__ = ("partition", "records", "size")

    def __init__(self, partition: int) -> None:
        self.partition, self.size = partition, 0
        self.records: dict[bytes, bytes] = {}


class States:
    """The records of one state topic."""

    def __init__(self, topic: str, bytes_max: int) -> None:
        self.topic, self._bytes_max = topic, bytes_max
        self._subjects: OrderedDict[str, _Subject] = OrderedDict()
        self._lanes: dict[int, bytes] = {}
        self._cut: OrderedDict[str, None] = OrderedDict()
        self.size, self._read = 0, False

    def clear(self) -> None:
        """Nothing is known any more."""
        for known in (self._subjects, self._lanes, self._cut):
            known.clear()
        self.size, self._read = 0, False

    def read(self) -> None:
        """The topic was read to its end."""
        self._read = True

    def put(self, message: Message) -> None:
        """A record of the topic, or a tombstone."""
        key, value, partition = message.key or b"", message.value, message.position.partition
        if key == LANE_KEY:
            self._lanes[partition] = value or b""
            return
        name = key.rsplit(b"|", 2)[0].decode(errors="replace")
        subject = self._subjects.get(name)
        if subject is None:
            if value is None:
                return
            subject = self._subjects[name] = _Subject(partition)
        before = subject.records.pop(key, None)
        grown = 0 if before is None else -(len(key) + len(before) + RECORD_BYTES)
        if value is not None:
            subject.records[key] = value
            grown += len(key) + len(value) + RECORD_BYTES
        subject.size += grown
        self.size += grown
        self._subjects.move_to_end(name)
        if not subject.records:
            del self._subjects[name]
        while self.size > self._bytes_max:
            self._drop()

    def of(self, subject_id: str) -> tuple[dict[bytes, bytes], bytes | None, bool]:
        """The records of a subject, the record of its lane, and whether that is all there is."""
        subject = self._subjects.get(subject_id)
        whole = self._read and subject_id not in self._cut
        if subject is None:
            return {}, None, whole
        return dict(subject.records), self._lanes.get(subject.partition), whole

    def _drop(self) -> None:
        name, subject = self._subjects.popitem(last=False)
        self.size -= subject.size
        self._cut[name] = None
        if len(self._cut) > CUT_MAX:
            self._cut.popitem(last=False)


class Pictures:
    """Answers who asks for an entity. `in_force` may be set to other rules or another watchlist at any time."""

    def __init__(self, states: States, in_force: InForce, now_ms: Callable[[], int]) -> None:
        self._states, self._now_ms = states, now_ms
        self.use(in_force)

    def use(self, in_force: InForce) -> None:
        """Look at entities through other rules or another watchlist."""
        self._in_force, self._families = in_force, Families(in_force.watchlist)

    async def of(self, entity_id: str) -> tuple[Picture, bool]:
        """The picture, and whether it is whole. Made on another thread: an entity may remember thousands of texts."""
        records, lane, whole = self._states.of(entity_id)
        watched = self._in_force.watchlist.get(entity_id)
        entity = SubjectRef("entity", entity_id, watched.name if watched is not None else "")
        rules, families, topic = self._in_force.rules, self._families, self._states.topic
        made = await asyncio.to_thread(
            picture, records, lane, entity, rules, families, topic=topic, now_ms=self._now_ms()
        )
        return made, whole

    async def follow(self, broker: Broker, *, telemetry: Telemetry) -> None:
        """Keep what the topic holds until cancelled; where it cannot be read, it is tried again every minute."""
        while True:
            try:
                async for message in read_and_follow(broker, self._states.topic, self._states.read):
                    self._states.put(message)
            except OperatorError as error:
                telemetry.emit(SinkFailed("entities", str(error), True))
            self._states.clear()
            await asyncio.sleep(RETRY_S)
