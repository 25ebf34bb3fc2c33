"""Labels from the broker, each with the text that it is about.

    riskstream.labels ──► read, gather ──► those without a text ──► joined to riskstream.reviews, else to .signals

Rule 1. Everything is read from the beginning, without a group: what is new is told by offsets that the last candidate
        remembers, so a round that was killed left nothing behind and is done again.
Rule 2. The newest `labels_max` records are kept; how many older ones were passed over is reported.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Mapping

import msgspec

from riskstream.core.asking.labels import Fault, Label, Question, Refused, gather, join, read_label
from riskstream.core.ports import Broker
from riskstream.core.records import Labels, Message, Signal
from riskstream.core.watching import codec
from riskstream.sections.kafka import Topics

log = logging.getLogger(__name__)
LINES_MAX = 5
"""Labels that cannot be used and are told one by one; the rest are in the counts."""


class Collected(msgspec.Struct, frozen=True):
    """What the topic holds. `ends` is the next offset of each partition, `passed_over` the records beyond the limit."""

    questions: tuple[Question, ...]
    ends: dict[int, int]
    records: int
    refused: dict[str, int]
    disputed: int
    withdrawn: int
    passed_over: int

    @property
    def new(self) -> int:
        """Questions that were answered, or answered anew, since the last round."""
        return sum(question.new for question in self.questions)


async def collect(
    broker: Broker, topics: Topics, labels: Labels, *, since: Mapping[int, int], labels_max: int
) -> Collected:
    """Read all labels. Raises OperatorError where a topic is missing or the broker cannot be reached."""
    kept: deque[tuple[Message, Label]] = deque(maxlen=labels_max)
    refused: list[Refused] = []
    ends: dict[int, int] = {}
    records = usable = 0
    async for message in broker.reader(topics.labels).read():
        records += 1
        ends[message.position.partition] = message.position.offset + 1
        label = read_label(message, labels)
        if isinstance(label, Refused):
            refused.append(label)
        else:
            usable += 1
            kept.append((message, label))
    found = gather(kept, since)
    questions, lost = await _with_texts(broker, topics, found.questions)
    refused += lost
    for one in refused[:LINES_MAX]:
        log.warning("label refused at %s: %s: %s", one.position, one.fault, one.detail)
    return Collected(
        questions=questions,
        ends=ends,
        records=records,
        refused=dict(Counter(str(one.fault) for one in refused)),
        disputed=found.disputed,
        withdrawn=found.withdrawn,
        passed_over=usable - len(kept),
    )


async def _with_texts(
    broker: Broker, topics: Topics, questions: tuple[Question, ...]
) -> tuple[tuple[Question, ...], list[Refused]]:
    """The questions, all with texts, and those whose signal is kept nowhere any more."""
    wanted = {question.signal_id for question in questions if not question.text.strip()}
    scored: dict[str, Label | Signal] = {}
    there = await broker.topics() if wanted else {}
    for topic in (topics.reviews, topics.signals):
        if topic in there and (missing := wanted - scored.keys()):
            scored |= await _find(broker, topic, missing, reviews=topic == topics.reviews)
    whole: list[Question] = []
    lost: list[Refused] = []
    for question in questions:
        if question.text.strip():
            whole.append(question)
        elif question.signal_id in scored:
            whole.append(join(question, scored[question.signal_id]))
        else:
            detail = f"no review or signal has the id {question.signal_id!r} any more; send the text along"
            lost.append(Refused(question.position, Fault.NO_SIGNAL, detail))
    return tuple(whole), lost


async def _find(broker: Broker, topic: str, ids: set[str], *, reviews: bool) -> dict[str, Label | Signal]:
    """What was scored under these ids. Reads the topic until all are found; records of others are passed over."""
    decoder = msgspec.json.Decoder(Label)
    found: dict[str, Label | Signal] = {}
    async for message in broker.reader(topic).read():
        key = message.key.decode("utf-8", "replace") if message.key else ""
        if message.value is None or (reviews and key not in ids):
            continue
        try:
            record = decoder.decode(message.value) if reviews else codec.decode_signal(message.value)
        except ValueError:
            continue
        if record.signal_id in ids:
            found[record.signal_id] = record
        if len(found) == len(ids):
            break
    return found
