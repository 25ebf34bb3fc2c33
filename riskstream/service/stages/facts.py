"""What the score stage counts, once committed: a fact rides on each result, and a commit's facts become events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from riskstream.core.asking.labels import Why
from riskstream.core.records import Reason
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import DocumentsDecided, LateSignals, Outcome, SignalsPublished


class Fact(msgspec.Struct, frozen=True):
    """What a message came to, for the counts."""

    feed: str
    outcome: Outcome
    reason: Reason | None = None
    signals: int = 0
    late: int = 0
    entities_dropped: int = 0
    reviews: tuple[Why, ...] = ()


def tell(facts: Sequence[Fact], telemetry: Telemetry) -> None:
    """The events of one commit, by feed."""
    for feed in {fact.feed for fact in facts}:
        mine = [fact for fact in facts if fact.feed == feed]
        outcomes = Counter(fact.outcome for fact in mine)
        reasons = Counter(fact.reason for fact in mine if fact.reason)
        telemetry.emit(DocumentsDecided(feed, outcomes, reasons))
        if signals := sum(fact.signals for fact in mine):
            dropped = sum(fact.entities_dropped for fact in mine)
            reviews = Counter(why for fact in mine for why in fact.reviews)
            telemetry.emit(SignalsPublished(feed, signals, dropped, reviews))
        if late := sum(fact.late for fact in mine):
            telemetry.emit(LateSignals(feed, late))
