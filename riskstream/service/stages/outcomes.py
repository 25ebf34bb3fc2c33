"""What a message of a feed came to: the records that leave with its offset.

    Prepared, Signals ─► signals, reviews        Rejected ─► a dead letter        nobody watched ─► nothing
                    └─► a heartbeat of the source now and then ◄─────────────────────────────┘

Each carries a fact, which is counted when the transaction is through (`facts.py`); with them goes how far the answers
of the model have moved.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from riskstream.core.asking.reviews import ReviewPolicy
from riskstream.core.clock import format_ms
from riskstream.core.drift import Drift
from riskstream.core.lanes.overload import Shedding, why_shed
from riskstream.core.reading.deadletter import dead_letter
from riskstream.core.reading.heartbeats import Heartbeats
from riskstream.core.records import Document, Output, Partition, Reason, Rejected, Signal
from riskstream.core.watching import codec
from riskstream.core.watching.rollups import Rollup
from riskstream.service.pipeline import Prepared
from riskstream.service.speaking import reviews_of
from riskstream.service.stages.facts import Fact, tell
from riskstream.service.stages.lanes import Done
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import DriftSeen


class ScoreTopics(msgspec.Struct, frozen=True):
    """Where results go, how large a dead letter may be, and how often a source is told of at most."""

    signals: str
    dead_letters: str
    dead_letter_bytes_max: int
    reviews: str = ""
    rollups: str = ""
    heartbeat_ms: int = 60_000


class Outcomes:
    """Makes what a lane commits. Without `reviews` nobody is asked for labels. `masked` are feeds whose texts are
    masked. `hears` may be set at any time: somebody waits for the silence of a source."""

    def __init__(
        self,
        topics: ScoreTopics,
        reviews: ReviewPolicy | None,
        masked: Collection[str] = frozenset(),
        shedding: Shedding | None = None,
    ) -> None:
        self._topics, self._reviews, self._masked, self._shedding = topics, reviews, masked, shedding
        self._heartbeats, self.hears = Heartbeats(topics.heartbeat_ms), False
        self._drift = Drift()

    def scored(self, prepared: Prepared, signals: Sequence[Signal]) -> Done:
        """The signals of a document, and the reviews that they ask for."""
        document = prepared.document
        since_ms = document.event_ms if isinstance(document, Document) else prepared.message.timestamp_ms
        late = sum(signal.late for signal in signals)
        for signal in signals:
            self._drift.add(signal)
        asked = [] if self._reviews is None else reviews_of(document, signals, self._reviews, self._topics.reviews)
        whys, reviews = tuple(why for why, _ in asked), [output for _, output in asked]
        fact = Fact(prepared.feed, prepared.outcome, None, len(signals), late, prepared.entities_dropped, whys)
        outputs = (*(self._output(signal) for signal in signals), *reviews, *self._heartbeat(prepared))
        return Done(outputs, since_ms, (), (fact,))

    def unscored(self, prepared: Prepared) -> Done:
        """A message that was refused, or that names nobody."""
        if isinstance(prepared.document, Rejected):
            return self.dead(prepared, prepared.document)
        outputs = self._heartbeat(prepared)
        return Done(outputs, prepared.message.timestamp_ms, (), (Fact(prepared.feed, prepared.outcome),))

    def dead(self, prepared: Prepared, rejected: Rejected) -> Done:
        """The dead letter of a message."""
        fact = Fact(prepared.feed, "rejected", rejected.reason)
        return Done((self._letter(prepared, rejected),), prepared.message.timestamp_ms, (), (fact,))

    def committed(self, results: Sequence[Done], telemetry: Telemetry) -> None:
        """Tell what became of the messages, and how far the answers have moved."""
        tell([fact for done in results for fact in done.facts if isinstance(fact, Fact)], telemetry)
        if distances := self._drift.distances():
            telemetry.emit(DriftSeen(distances))

    def given_up(self, prepared: Prepared, now_ms: int, queued: int) -> Done | None:
        """A document that is not scored under overload, though its source was heard; None where it is."""
        policy, document, message = self._shedding, prepared.document, prepared.message
        if policy is None or not isinstance(document, Document):
            return None
        why = why_shed(policy, document, message.timestamp_ms, now_ms=now_ms, queued=queued)
        if not why:
            return None
        rejected = Rejected(message.position, Reason.SHED, why)
        letters = (self._letter(prepared, rejected),) if policy.dead_letters else ()
        return Done((*letters, *self._heartbeat(prepared)), message.timestamp_ms, (), (Fact(prepared.feed, "shed"),))

    def _letter(self, prepared: Prepared, rejected: Rejected) -> Output:
        """Of a masked feed's message no more than its place and its hash."""
        message, masked = prepared.message, prepared.feed in self._masked
        if masked:
            message = msgspec.structs.replace(message, key=None, headers=())
        topics = self._topics
        return dead_letter(message, rejected, topics.dead_letters, topics.dead_letter_bytes_max, body=not masked)

    def _heartbeat(self, prepared: Prepared) -> tuple[Output, ...]:
        """That the document's source was heard, if it is time to tell."""
        document, position = prepared.document, prepared.message.position
        if not self.hears or not isinstance(document, Document) or document.late:
            return ()
        lane, now_ms = Partition(position.topic, position.partition), prepared.message.timestamp_ms
        if not self._heartbeats.beat(lane, document.source, now_ms):
            return ()
        heard_at = format_ms(document.event_ms)
        beat = Rollup("source", document.source, heard_at=heard_at, kind=document.kind, lang=document.lang)
        return (Output(self._topics.rollups, beat.key.encode(), codec.encode(beat)),)

    def _output(self, signal: Signal) -> Output:
        return Output(self._topics.signals, signal.entity.id.encode(), codec.encode(signal))
