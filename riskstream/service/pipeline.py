"""From a message to its signals, in two steps with the model between them; the daemon and the replay share both.

    Message ─► prepare: decode, find entities, tokenise ─► Prepared ─► (model) ─► assemble ─► Signals | Rejected

Rule 1. `prepare` runs on any one thread, never on the event loop: it parses and tokenises.
Rule 2. A text that the tokenizer fails on is refused alone.
Rule 3. A message has one outcome: scored, duplicate, rejected or unwatched. A duplicate is scored and published like
        any other, since only the watch stage can tell exactly what a repetition changes; it is counted apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from riskstream.core import codec
from riskstream.core.entities import Matcher
from riskstream.core.errors import InternalError
from riskstream.core.feeds import Decoder
from riskstream.core.labels import Why
from riskstream.core.ports import Scorer
from riskstream.core.recent import Recent
from riskstream.core.records import MARKET, Document, Mention, Message, Output, Prediction, Reason, Rejected, Signal
from riskstream.core.reviews import ReviewPolicy, review, why
from riskstream.core.telling import Telling, tellings
from riskstream.telemetry.events import Outcome

DUPLICATES_REMEMBERED = 100_000
"""About 20 MB; a repetition after more documents than this counts as scored."""


class Prepared(msgspec.Struct, frozen=True):
    """A message that is ready for the model: one token row per mention. Without mentions nothing is scored."""

    message: Message
    feed: str
    outcome: Outcome
    document: Document | Rejected
    mentions: tuple[Mention, ...] = ()
    tokens: tuple[tuple[int, ...], ...] = ()
    entities_dropped: int = 0
    telling: Telling | None = None
    scorer: Scorer | None = None
    """The model whose tokens these are: it alone may score and name them."""


class Preparer:
    """Holds what preparing needs: the feeds' decoders by topic, the watchlist and the model's tokenizer.

    `scorer` may be set to another model at any time; a group of messages is tokenised by one.
    """

    def __init__(self, decoders: Mapping[str, Decoder], matcher: Matcher, scorer: Scorer, entities_max: int) -> None:
        self._decoders, self._matcher, self.scorer, self._entities_max = decoders, matcher, scorer, entities_max
        self._recent = Recent(DUPLICATES_REMEMBERED)

    def feed_of(self, message: Message) -> str:
        """The name of the feed that a message came by."""
        return self._decoders[message.position.topic].spec.name

    def prepare(self, messages: Sequence[Message]) -> list[Prepared]:
        """Decode, match and tokenise; one result per message, in order."""
        found, scorer = self._told([self._find(message) for message in messages]), self.scorer
        try:
            return self._tokenised(found, scorer)
        except Exception:
            return [self._tokenised_alone(prepared, scorer) for prepared in found]

    def _told(self, found: list[Prepared]) -> list[Prepared]:
        """With what each text shows of itself; made together, and only for texts that will be scored."""
        asked = [
            (document, self._decoders[document.position.topic].spec)
            for prepared in found
            if isinstance(document := prepared.document, Document) and prepared.mentions
        ]
        made = iter(tellings([document for document, _ in asked], [spec for _, spec in asked]))
        return [
            msgspec.structs.replace(prepared, telling=next(made)) if prepared.mentions else prepared
            for prepared in found
        ]

    def _tokenised(self, found: Sequence[Prepared], scorer: Scorer) -> list[Prepared]:
        pairs = [
            (mention.mention, prepared.document.text)
            for prepared in found
            if isinstance(prepared.document, Document)
            for mention in prepared.mentions
        ]
        rows = iter(scorer.encode(pairs)) if pairs else iter(())
        return [
            msgspec.structs.replace(prepared, tokens=tuple(next(rows) for _ in prepared.mentions), scorer=scorer)
            if prepared.mentions
            else prepared
            for prepared in found
        ]

    def _tokenised_alone(self, prepared: Prepared, scorer: Scorer) -> Prepared:
        """One message after its group failed: only the text that the tokenizer cannot take is refused."""
        try:
            return self._tokenised([prepared], scorer)[0]
        except Exception as error:
            refusal = Rejected(prepared.message.position, Reason.MODEL_ERROR, f"the tokenizer failed: {error!r}"[:200])
            return Prepared(prepared.message, prepared.feed, "rejected", refusal)

    def _find(self, message: Message) -> Prepared:
        decoder = self._decoders[message.position.topic]
        feed = decoder.spec.name
        document = decoder.decode(message)
        if isinstance(document, Rejected):
            return Prepared(message, feed, "rejected", document)
        found = self._matcher.find(document.text, document.entities, self._entities_max)
        mentions = found.mentions
        if not mentions and decoder.spec.market:
            mentions = (Mention(MARKET, "market", "", 1.0),)
        outcome: Outcome = "scored" if mentions else "unwatched"
        if mentions and self._recent.seen((feed, document.document_id, document.fingerprint)):
            outcome = "duplicate"
        return Prepared(message, feed, outcome, document, mentions, (), found.dropped)


def assemble(
    prepared: Prepared, predictions: Sequence[Prediction | Rejected], scorer: Scorer, scored_ms: int
) -> tuple[Signal, ...] | Rejected:
    """The signals of a document from the predictions of its mentions, in their order.

    A document of which one pair could not be scored is rejected whole: half a document would read as good news.
    """
    if not isinstance(prepared.document, Document) or prepared.telling is None:
        raise InternalError(f"{prepared.message.position} was rejected and has no signals")
    signals, scored = [], codec.Scored(scorer.labels, scorer.name, scorer.calibration, scored_ms)
    for mention, prediction in zip(prepared.mentions, predictions, strict=True):
        if isinstance(prediction, Rejected):
            return prediction
        if not math.isfinite(prediction.risk_score):
            detail = f"the model gave {prediction.risk_score} for entity {mention.id!r}"
            return Rejected(prepared.message.position, Reason.MODEL_ERROR, detail)
        signals.append(codec.signal(prepared.document, prepared.telling, mention, prediction, scored))
    return tuple(signals)


def reviews_of(
    document: Document | Rejected, signals: Sequence[Signal], policy: ReviewPolicy, topic: str
) -> list[tuple[Why, Output]]:
    """The records that ask for labels of these signals, each with why."""
    asked: list[tuple[Why, Output]] = []
    for signal in signals:
        chosen = why(signal.signal_id, signal.risk_score, policy)
        if chosen is not None and isinstance(document, Document):
            record = msgspec.json.encode(review(document, signal, chosen, policy))
            asked.append((chosen.why, Output(topic, signal.signal_id.encode(), record)))
    return asked
