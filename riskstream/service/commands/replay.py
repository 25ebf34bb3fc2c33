"""The same stages over files, on event time: what would have been alerted, and when.

    lines ─► arrivals (the replay's own clock) ─► prepare ─► batches ─► model ─► signals ─► engine ─► alerts
                                                                  saved signals ─────────────┘

Rule 1. Nothing here asks the wall clock: a document is received and scored at the arrival that its place gives it.
Rule 2. Batches are cut from fixed chunks, so the same file makes the same batches and the same bytes.
Rule 3. Alerts that are open at the end stay open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, tee

import msgspec

from riskstream.core.clock import LATEST_MS, arrivals, format_ms, parse_ms
from riskstream.core.errors import OperatorError
from riskstream.core.lanes.batching import Batcher, BatchLimits
from riskstream.core.ports import Scorer
from riskstream.core.reading.attribution import Reading, Spans
from riskstream.core.reading.feeds import Decoder
from riskstream.core.recent import Known
from riskstream.core.records import (
    Alert,
    Document,
    Encoded,
    Message,
    Partition,
    Position,
    Prediction,
    Rejected,
    Signal,
    Ticket,
)
from riskstream.core.watching import codec
from riskstream.core.watching.desk import Desk
from riskstream.scoring.explain import LeaveOut
from riskstream.service.explaining import KNOWN_MAX, ExplainPolicy
from riskstream.service.pipeline import Prepared, Preparer
from riskstream.service.speaking import Spoken, assemble, explained, reading_of, speak

CHUNK = 256
EXPLAINED_AT_ONCE = 8
Said = tuple[Spoken, ...] | Rejected


class Tally:
    """What a replay met, for the line at its end."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.signals = 0
        self.alerts: Counter[str] = Counter()

    def line(self) -> str:
        """One line for a person: the documents by outcome, the signals, the alert records by state."""
        documents = sum(self.outcomes.values())
        reasons = ", ".join(f"{count} {name}" for name, count in sorted(self.reasons.items()))
        why = {"rejected": f" [{reasons}]"}
        outcomes = ", ".join(f"{count} {name}{why.get(name, '')}" for name, count in sorted(self.outcomes.items()))
        alerts = ", ".join(f"{count} {state}" for state, count in sorted(self.alerts.items())) or "none"
        return f"{documents} documents ({outcomes or 'none'}), {self.signals} signals, alerts: {alerts}"


def messages(lines: Iterable[bytes], decoder: Decoder) -> Iterator[Message]:
    """The lines of a file as messages of the decoder's topic, each with the arrival that the replay gives it.

    A line without a readable time of publication arrives with its neighbours.
    """
    topic = decoder.spec.topic
    for_times, for_messages = tee(line for line in lines if line.strip())
    published = (_published_ms(decoder, topic, offset, line) for offset, line in enumerate(for_times))
    for offset, (line, arrival_ms) in enumerate(zip(for_messages, arrivals(published), strict=True)):
        yield Message(Position(topic, 0, offset), arrival_ms, None, line)


def _published_ms(decoder: Decoder, topic: str, offset: int, line: bytes) -> int | None:
    document = decoder.decode(Message(Position(topic, 0, offset), LATEST_MS, None, line))
    return document.published_ms if isinstance(document, Document) else None


def signals_of(
    source: Iterable[Message],
    preparer: Preparer,
    scorer: Scorer,
    limits: BatchLimits,
    tally: Tally,
    explain: ExplainPolicy | None = None,
) -> Iterator[tuple[Signal, int]]:
    """The signals of messages, in order, each with its append time in ms (here: the arrival)."""
    source, known = iter(source), Explained(scorer, explain)
    while chunk := list(islice(source, CHUNK)):
        prepared = preparer.prepare(chunk)
        predictions = _score(prepared, scorer, limits)
        spoken = [_spoken(item, found, scorer) for item, found in zip(prepared, predictions, strict=True)]
        known.learn(prepared, spoken)
        for item, said in zip(prepared, spoken, strict=True):
            for signal in _signals(item, said, scorer, tally, known):
                yield signal, item.message.timestamp_ms


class Explained:
    """What a replay has explained; without a policy nothing is."""

    def __init__(self, scorer: Scorer, policy: ExplainPolicy | None) -> None:
        self._policy = policy
        self._explainer = None if policy is None else LeaveOut(scorer, policy.limits)
        self._known = Known[Reading, Spans](KNOWN_MAX)

    def learn(self, prepared: Sequence[Prepared], spoken: Sequence[Said]) -> None:
        """Explain what a chunk will ask for, some readings at a time: a batch of one text's parts is half empty."""
        asked = [
            reading_of(item, said[place])
            for item, said in zip(prepared, spoken, strict=True)
            if not isinstance(said, Rejected)
            for place in self._places(said)
        ]
        missing = [reading for reading in dict.fromkeys(asked) if self._known.get(reading) is None]
        for start in range(0, len(missing), EXPLAINED_AT_ONCE):
            self._explain(missing[start : start + EXPLAINED_AT_ONCE])

    def spans(self, item: Prepared, spoken: Sequence[Spoken]) -> dict[int, Spans]:
        """The spans of those mentions of a document that are explained."""
        found = dict[int, Spans]()
        for place in self._places(spoken):
            reading = reading_of(item, spoken[place])
            spans = self._known.get(reading)
            found[place] = self._explain([reading])[0] if spans is None else spans
        return found

    def _places(self, spoken: Sequence[Spoken]) -> list[int]:
        return [] if self._policy is None else explained(spoken, self._policy.risk_score_min)

    def _explain(self, readings: Sequence[Reading]) -> list[Spans]:
        assert self._explainer is not None
        found = self._explainer.explain(readings)
        for reading, spans in zip(readings, found, strict=True):
            self._known.put(reading, spans)
        return found


def _spoken(item: Prepared, predictions: Sequence[Prediction], scorer: Scorer) -> Said:
    if isinstance(item.document, Rejected):
        return item.document
    return speak(item, predictions, scorer.per_log) if item.mentions else ()


def _signals(item: Prepared, spoken: Said, scorer: Scorer, tally: Tally, known: Explained) -> tuple[Signal, ...]:
    if isinstance(spoken, Rejected):
        tally.outcomes["rejected"] += 1
        tally.reasons[spoken.reason] += 1
        return ()
    tally.outcomes[item.outcome] += 1
    return assemble(item, spoken, known.spans(item, spoken), scorer, item.message.timestamp_ms) if spoken else ()


def _score(prepared: Sequence[Prepared], scorer: Scorer, limits: BatchLimits) -> list[list[Prediction]]:
    """Predictions per message and mention, from batches cut out of these messages alone."""
    lane = Partition("replay", 0)
    batcher = Batcher(limits)
    found: list[dict[int, Prediction]] = [{} for _ in prepared]
    for sequence, item in enumerate(prepared):
        for index, tokens in enumerate(item.tokens):
            batcher.add(Encoded(Ticket(lane, 0, sequence), index, tokens), now_ms=0)
    while (batch := batcher.take(now_ms=0)) is not None:
        for encoded, prediction in zip(batch.items, scorer.score(batch.items), strict=True):
            found[encoded.ticket.sequence][encoded.index] = prediction
    return [[by_index[i] for i in range(len(by_index))] for by_index in found]


class SavedSignal(Signal, frozen=True):
    """A signal in a file: the record with the append time that the watch stage saw."""

    appended_at: str = ""


def save_line(signal: Signal, appended_ms: int) -> bytes:
    """A line of a signals file."""
    saved = SavedSignal(**{f: getattr(signal, f) for f in Signal.__struct_fields__}, appended_at=format_ms(appended_ms))
    return msgspec.json.encode(saved) + b"\n"


def saved_signals(lines: Iterable[bytes], origin: str, option: str = "--signals") -> Iterator[tuple[Signal, int]]:
    """The signals of a file in order, each with its append time in ms. Raises OperatorError naming the wrong line."""
    decoder = msgspec.json.Decoder(SavedSignal)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            signal = decoder.decode(line)
            appended_ms = parse_ms(signal.appended_at or signal.received_at)
        except ValueError as error:
            fix = "give a file that --save-signals or `riskstream export` wrote"
            raise OperatorError(option, f"{origin}, line {number}", f"not a signal: {error}", fix) from None
        yield signal, appended_ms


def alerts_of(
    signals: Iterable[tuple[Signal, int]], engine: Desk, tally: Tally, keep: Callable[[bytes], object] | None = None
) -> Iterator[Alert]:
    """The alerts that these signals make, in order. `keep` is given each signal's line."""
    for signal, appended_ms in signals:
        tally.signals += 1
        if keep is not None:
            keep(save_line(signal, appended_ms))
        for alert in engine.on_signal(signal, appended_ms).alerts:
            tally.alerts[alert.state] += 1
            yield alert


def alert_lines(alerts: Iterable[Alert]) -> Iterator[bytes]:
    """The lines of an alerts file."""
    for alert in alerts:
        yield codec.encode(alert) + b"\n"
