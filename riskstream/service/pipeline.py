"""From a message to what the model reads; the daemon and the replay share it.

    Message ─► prepare: decode, find entities, cut, tokenise ─► Prepared ─► (model) ─► speak ─► (explain) ─► assemble
               └── here                                                              └── `speaking.py`

Rule 1. `prepare` runs on any one thread, never on the event loop: it parses and tokenises.
Rule 2. A text that the tokenizer fails on is refused alone.
Rule 3. A message has one outcome: scored, duplicate, rejected or unwatched. A duplicate is scored and published like
        any other, since only the watch stage can tell exactly what a repetition changes; it is counted apart.
Rule 4. A text that does not fit the model is read in windows (`core/passages.py`), each a row of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from riskstream.core.errors import InternalError
from riskstream.core.passages import Span, WindowLimits, may_fit, to_read
from riskstream.core.ports import Scorer
from riskstream.core.reading.entities import Matcher
from riskstream.core.reading.feeds import Decoder
from riskstream.core.reading.telling import Telling, tellings
from riskstream.core.reading.text import Origin
from riskstream.core.recent import Recent
from riskstream.core.records import MARKET, Document, Mention, Message, Reason, Rejected
from riskstream.telemetry.events import Outcome

DUPLICATES_REMEMBERED = 100_000
"""About 20 MB; a repetition after more documents than this counts as scored."""


class Window(msgspec.Struct, frozen=True):
    """A part of a document that is read for one of its mentions: its place in the document's text, and in the feed's
    own where the document was cut."""

    mention: int
    start: int
    end: int
    origin: Span | None = None


class Prepared(msgspec.Struct, frozen=True):
    """A message that is ready for the model: a token row for each window. Without mentions nothing is scored.

    `places` are where each mention is named, `left_out` the windows of each that were too many.
    """

    message: Message
    feed: str
    outcome: Outcome
    document: Document | Rejected
    mentions: tuple[Mention, ...] = ()
    places: tuple[tuple[int, ...], ...] = ()
    windows: tuple[Window, ...] = ()
    tokens: tuple[tuple[int, ...], ...] = ()
    left_out: tuple[int, ...] = ()
    entities_dropped: int = 0
    telling: Telling | None = None
    scorer: Scorer | None = None
    """The model whose tokens these are: it alone may score and name them."""


class Preparer:
    """Holds what preparing needs: the feeds' decoders by topic, the watchlist and the model's tokenizer.

    `scorer` and `matcher` may be set to others at any time; a group of messages is tokenised by one model.
    """

    def __init__(
        self,
        decoders: Mapping[str, Decoder],
        matcher: Matcher,
        scorer: Scorer,
        entities_max: int,
        limits: WindowLimits | None = None,
    ) -> None:
        self._decoders, self.matcher, self.scorer, self._entities_max = decoders, matcher, scorer, entities_max
        self._limits = limits or WindowLimits()
        self._recent = Recent(DUPLICATES_REMEMBERED)

    @property
    def masked(self) -> frozenset[str]:
        """The names of the feeds whose texts are masked."""
        return frozenset(decoder.spec.name for decoder in self._decoders.values() if decoder.spec.mask)

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
        """All in one go, since a tokenizer is quick in batches; then those that turn out to be long, one by one."""
        row_max = scorer.tokens_max
        tried = [bool(one.mentions) and may_fit(text_of(one), row_max) for one in found]
        pairs = [
            (m.mention, text_of(one)) for one, try_it in zip(found, tried, strict=True) if try_it for m in one.mentions
        ]
        rows = iter(scorer.encode(pairs)) if pairs else iter(())
        ready = []
        for one, try_it in zip(found, tried, strict=True):
            tokens = tuple(next(rows) for _ in one.mentions) if try_it else ()
            if not one.mentions:
                ready.append(one)
            elif tokens and all(len(row) < row_max for row in tokens):
                ready.append(_whole(one, tokens, scorer))
            else:
                ready.append(self._cut(one, scorer))
        return ready

    def _cut(self, prepared: Prepared, scorer: Scorer) -> Prepared:
        """A document that does not fit: a row for each window that is read of it."""
        text, mentions = text_of(prepared), prepared.mentions
        frame = max(len(row) for row in scorer.encode([(mention.mention, "") for mention in mentions]))
        spans = self._limits.windows(text, scorer.pieces(text), row_max=scorer.tokens_max, frame=frame)
        origin = self._origin(prepared) if len(spans) > 1 else None
        read: list[Window] = []
        left_out = []
        for place, named_at in enumerate(prepared.places):
            some, left = to_read(spans, named_at, max(1, self._limits.windows_max // len(mentions)))
            read += [Window(place, *spans[i], origin.span(*spans[i]) if origin else None) for i in some]
            left_out.append(left)
        tokens = scorer.encode([(mentions[one.mention].mention, text[one.start : one.end]) for one in read])
        return msgspec.structs.replace(
            prepared, windows=tuple(read), tokens=tuple(tokens), left_out=tuple(left_out), scorer=scorer
        )

    def _origin(self, prepared: Prepared) -> Origin:
        """The way back from the document's text to the feed's."""
        message = prepared.message
        return self._decoders[message.position.topic].origin(message, text_of(prepared))

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
        found = self.matcher.find(document.text, document.entities, self._entities_max)
        mentions, places = found.mentions, found.places
        if not mentions and decoder.spec.market:
            mentions, places = (Mention(MARKET, "market", "", 1.0),), ((),)
        outcome: Outcome = "scored" if mentions else "unwatched"
        if mentions and self._recent.seen((feed, document.document_id, document.fingerprint)):
            outcome = "duplicate"
        return Prepared(message, feed, outcome, document, mentions, places, entities_dropped=found.dropped)


def text_of(prepared: Prepared) -> str:
    """The text of a prepared document, as the model reads it."""
    if not isinstance(prepared.document, Document):
        raise InternalError(f"{prepared.message.position} was rejected and has no text")
    return prepared.document.text


def model_of(prepared: Prepared) -> Scorer:
    """The model whose tokens a prepared document has."""
    if prepared.scorer is None:
        raise InternalError(f"{prepared.message.position} has tokens of no model")
    return prepared.scorer


def _whole(prepared: Prepared, tokens: tuple[tuple[int, ...], ...], scorer: Scorer) -> Prepared:
    """A document that fits: one window for each mention."""
    size = len(text_of(prepared))
    read = tuple(Window(place, 0, size) for place in range(len(tokens)))
    return msgspec.structs.replace(prepared, windows=read, tokens=tokens, left_out=(0,) * len(tokens), scorer=scorer)
