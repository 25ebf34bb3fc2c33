"""The job of the stream bench, the same for every peer: a feed's message in, the signals of its entities out.

    JSON ─► document ─► entities ─► one fixed score for each ─► signals ─► JSON

`Job` is the score stage's own code, one message at a time: what comes out is the same record, and peers differ in how
they read, write and commit. `BareJob` is the least that deserves the name, as one would write it by hand: no checks, no
relevance, no wording, no copies told apart; a third of the record. A peer with it does less than riskstream does.
Every document names one entity of the watchlist, so a record comes out for each that goes in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import ahocorasick
import msgspec

from riskstream.core.clock import format_ms
from riskstream.core.reading.entities import Matcher
from riskstream.core.reading.feeds import Decoder, FeedSpec
from riskstream.core.records import Encoded, Message, Position, Prediction, Watched
from riskstream.core.watching import codec
from riskstream.scoring.plain import ConstantScorer
from riskstream.service.pipeline import Preparer
from riskstream.service.speaking import assemble, speak

ENTITIES = 1_000
PREDICTION = Prediction((0.2, 0.7, 0.1), (0.9, 0.06, 0.03, 0.01), (0.1, 0.2, 0.3), (0.9, 0.1), 0.04)
_TEXT = (
    "the company said on Tuesday that its results for this quarter would be in line with what it told in spring while "
    "analysts had expected more from operations abroad where sales of machines rose by nine percent after two years "
    "and margins stayed under pressure from wages energy freight and higher interest on debt that is due next year"
)


class FixedScorer(ConstantScorer):
    """One answer for all, which costs nothing. Its tokens are none of the text's."""

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, ...]]:
        """As many as a short text has."""
        return [_TOKENS] * len(pairs)

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        """The same for each."""
        return [PREDICTION] * len(batch)


_TOKENS = tuple(range(32))


class Job:
    """The job, one message at a time."""

    def __init__(self, topic: str) -> None:
        self._scorer, self._topic = FixedScorer(), topic
        decoders = {topic: Decoder(FeedSpec(name="bench", topic=topic))}
        self._preparer = Preparer(decoders, Matcher(watchlist()), self._scorer, entities_max=8)

    def run(self, partition: int, offset: int, timestamp_ms: int, value: bytes, now_ms: int) -> tuple[bytes, bytes]:
        """Key and value of the record that comes of a message."""
        message = Message(Position(self._topic, partition, offset), timestamp_ms, None, value)
        (prepared,) = self._preparer.prepare([message])
        spoken = speak(prepared, [PREDICTION] * len(prepared.tokens), 0.0)
        assert isinstance(spoken, tuple)
        (signal,) = assemble(prepared, spoken, {}, self._scorer, now_ms)
        return signal.entity.id.encode(), codec.encode(signal)


class _Feed(msgspec.Struct):
    id: str
    title: str
    text: str
    source: str
    published_at: int


class BareJob:
    """The same by hand, for a peer that does no more than it must."""

    def __init__(self, topic: str) -> None:
        self._topic, self._names = topic, ahocorasick.Automaton()
        for one in watchlist():
            self._names.add_word(one.name.casefold(), one.id)
        self._names.make_automaton()
        self._decode, self._encode = msgspec.json.Decoder(_Feed).decode, msgspec.json.Encoder().encode

    def run(self, partition: int, offset: int, timestamp_ms: int, value: bytes, now_ms: int) -> tuple[bytes, bytes]:
        """Key and value of the record that comes of a message."""
        document = self._decode(value)
        _, entity = next(self._names.iter(f"{document.title}\n{document.text}".casefold()))
        record = {
            "signal_id": f"{self._topic}/{partition}/{offset}#{entity}",
            "document_id": document.id,
            "entity": entity,
            "received_at": format_ms(timestamp_ms),
            "source": document.source,
            "title": document.title,
            "sentiment": PREDICTION.sentiment,
            "severity": PREDICTION.severity,
            "risk_score": PREDICTION.risk_score,
        }
        return entity.encode(), self._encode(record)


JOBS: dict[str, type[Job] | type[BareJob]] = {"signal": Job, "bare": BareJob}


def watchlist() -> tuple[Watched, ...]:
    """A thousand entities that no word of the texts names by chance."""
    return tuple(Watched(f"E{number:04d}", f"Firm{number:04d} Holdings") for number in range(ENTITIES))


def watchlist_text() -> str:
    """The same as a file."""
    return "".join(["id,name,aliases,groups\n", *(f"{one.id},{one.name},,all\n" for one in watchlist())])


def documents(count: int, published_ms: int, seed: int = 1) -> Iterator[bytes]:
    """Messages of a feed, of about 600 bytes, published at the same time."""
    draw, words = random.Random(seed), _TEXT.split()
    for number in range(count):
        who = f"Firm{draw.randrange(ENTITIES):04d} Holdings"
        text = " ".join(draw.choices(words, k=70))
        yield msgspec.json.encode(
            {
                "id": f"doc-{seed}-{number:08d}",
                "title": f"{who} tells of quarter {number}",
                "text": f"{who} said: {text}.",
                "source": f"wire-{number % 20}",
                "published_at": published_ms,
                "url": f"https://example.com/{number}",
            }
        )
