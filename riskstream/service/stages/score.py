"""The score stage: feed messages in, signals and dead letters out.

    accept ─► waiting ─► prepare (its own thread) ─► batcher ─► model thread, one batch ahead ─► speak ─► finish
                                                                                                   └► explain ─┘

Rule 1. The event loop neither parses nor tokenises nor computes.
Rule 2. What waits is bounded: messages by the lanes' `in_flight_max`, pairs by `batching.queue_max`.
Rule 3. A batch that fails is halved until the pair that fails stands alone; that one is a dead letter.
Rule 4. A pair is scored and named by the model that tokenised it; after a swap the older model's pairs go first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from riskstream.core.asking.reviews import ReviewPolicy
from riskstream.core.errors import DeviceLost, InternalError, MemoryShort
from riskstream.core.lanes.answers import Answers
from riskstream.core.lanes.batching import BatchLimits
from riskstream.core.lanes.overload import Shedding
from riskstream.core.lanes.relay import Relay
from riskstream.core.ports import Ends, Partitions, Scorer
from riskstream.core.reading.attribution import Spans
from riskstream.core.reading.entities import Matcher
from riskstream.core.records import Batch, Encoded, Message, Partition, Prediction, Reason, Rejected, Ticket
from riskstream.scoring.worker import Worker
from riskstream.service.explaining import Explaining, ExplainPolicy
from riskstream.service.pipeline import Prepared, Preparer, model_of
from riskstream.service.speaking import assemble, explained, reading_of, speak
from riskstream.service.stages.lanes import Done, Finish, Restored
from riskstream.service.stages.outcomes import Outcomes, ScoreTopics
from riskstream.service.stages.tasting import Taster, Tasting, Work
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import BatchBisected, BatchScored, CacheHits, Tokenised
from riskstream.telemetry.watchdogs import WatchdogBarked

BATCHES_AHEAD = 2
"""One in the model and one waiting at its door; more would only wait longer."""
PREPARE_MAX = 256
"""Messages prepared in one go: long enough for the tokenizer's batch, short enough not to hold up the first."""


class _Pending:
    """A message whose pairs are in the model."""

    __slots__ = ("finish", "missing", "predictions", "prepared")

    def __init__(self, prepared: Prepared, finish: Finish) -> None:
        self.prepared, self.finish = prepared, finish
        self.predictions: list[Prediction | Rejected | None] = [None] * len(prepared.tokens)
        self.missing = len(prepared.tokens)


class ScoreProcessor:
    """Scores the messages of all its lanes together."""

    def __init__(
        self,
        preparer: Preparer,
        worker: Worker,
        limits: BatchLimits,
        topics: ScoreTopics,
        *,
        reviews: ReviewPolicy | None = None,
        explain: ExplainPolicy | None = None,
        shedding: Shedding | None = None,
        telemetry: Telemetry,
        now_ms: Callable[[], int],
        taster: Taster,
        cache_max: int = 0,
    ) -> None:
        self._preparer, self._worker = preparer, worker
        self._outcomes = Outcomes(topics, reviews, preparer.masked, shedding)
        self._telemetry, self._now_ms = telemetry, now_ms
        self._batcher = Relay[Scorer](limits)
        self._answers = Answers(cache_max)
        self._in_hand = 0
        self._waiting: deque[Work] = deque()
        self._pending: dict[Ticket, _Pending] = {}
        self._arrived, self._queued, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._ahead = asyncio.Semaphore(BATCHES_AHEAD)
        self._tasting = Tasting(taster, cleared=self._cleared, convicted=self._convicted, telemetry=telemetry)
        self._explaining = (
            Explaining(worker, explain, busy=lambda: len(self._batcher) > 0, telemetry=telemetry) if explain else None
        )

    async def run(self) -> None:
        """Prepare and score until cancelled."""
        with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._prepare(pool))
                tasks.create_task(self._tasting.run())
                tasks.create_task(self._batch(tasks))
                if self._explaining is not None:
                    tasks.create_task(self._explaining.run())

    def use(self, scorer: Scorer) -> None:
        """Prepare with another model from now on; what is tokenised is scored and named by the one that did it."""
        self._preparer.scorer = scorer

    def watch(self, matcher: Matcher | None, *, hears: bool) -> None:
        """Look for other names from the next text on, if any; `hears`: a rule waits for the silence of a source."""
        self._preparer.matcher, self._outcomes.hears = matcher or self._preparer.matcher, hears

    def assigned(self, lanes: Partitions) -> None:
        """Nothing is remembered of lanes."""

    async def opened(self, lane: Partition, add: Callable[[Done], None]) -> Restored | None:
        """A lane of texts keeps nothing."""
        return None

    def accept(self, work: Sequence[tuple[Ticket, Message]], finish: Finish) -> None:
        """Queue messages for preparing."""
        every = [Work(ticket, message, finish) for ticket, message in work]
        self._cleared([one for one in every if not self._tasting.takes(one)])

    def suspect(self, lane: Partition, until: int) -> None:
        """Records of this lane below `until` may have ended a process."""
        self._tasting.suspect(lane, until)

    def _cleared(self, work: Sequence[Work]) -> None:
        self._waiting.extend(work)
        self._arrived.set()

    def _convicted(self, work: Work) -> None:
        message = work.message
        refusal = Rejected(message.position, Reason.MODEL_ERROR, "the process that scores it ends; tried alone, twice")
        prepared = Prepared(message, self._preparer.feed_of(message), "rejected", refusal)
        work.finish(work.ticket, self._outcomes.dead(prepared, refusal))

    def tick(self, lane: Partition, now_ms: int) -> Done | None:
        """Time changes nothing here."""
        return None

    def committed(self, lane: Partition, results: Sequence[Done], ends: Ends) -> None:
        """Count what became of the messages."""
        self._outcomes.committed(results, self._telemetry)

    def closed(self, lane: Partition) -> None:
        """Forget the lane's work; it comes again to the next owner."""
        self._batcher.drop(lane)
        self._tasting.drop(lane)
        self._room.set()
        if self._explaining is not None:
            self._explaining.closed(lane)
        self._waiting = deque(one for one in self._waiting if one.ticket.lane != lane)
        for ticket in [ticket for ticket in self._pending if ticket.lane == lane]:
            del self._pending[ticket]

    async def _prepare(self, pool: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            work = [self._waiting.popleft() for _ in range(min(len(self._waiting), PREPARE_MAX))]
            started = loop.time()
            results = await loop.run_in_executor(pool, self._preparer.prepare, [one.message for one in work])
            if texts := sum(len(prepared.tokens) for prepared in results):
                self._telemetry.emit(Tokenised(texts, loop.time() - started))
            for one, prepared in zip(work, results, strict=True):
                if prepared.tokens and (done := self._outcomes.given_up(prepared, self._now_ms(), len(self._batcher))):
                    one.finish(one.ticket, done)
                elif prepared.tokens:
                    await self._queue(one.ticket, prepared, one.finish)
                else:
                    one.finish(one.ticket, self._outcomes.unscored(prepared))

    async def _queue(self, ticket: Ticket, prepared: Prepared, finish: Finish) -> None:
        while self._batcher.full:
            self._room.clear()
            await self._room.wait()
        self._pending[ticket] = _Pending(prepared, finish)
        now_ms, scorer = _monotonic_ms(), model_of(prepared)
        answered = []
        for index, tokens in enumerate(prepared.tokens):
            item = Encoded(ticket, index, tokens)
            if (known := self._answers.get(scorer, tokens)) is None:
                self._batcher.add(item, scorer, now_ms=now_ms)
            else:
                answered.append((item, known))
        if answered:
            self._telemetry.emit(CacheHits(len(answered)))
        for item, known in answered:
            self._answer(item, known)
        self._queued.set()

    async def _batch(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._ahead.acquire()
            await self._until_due()
            taken = self._batcher.take(now_ms=_monotonic_ms())
            self._room.set()
            if taken is None:
                self._ahead.release()
            else:
                self._in_hand += 1
                tasks.create_task(self._score(*taken))

    async def _until_due(self) -> None:
        while (due_ms := self._batcher.due_ms(idle=not self._in_hand)) is None or due_ms > _monotonic_ms():
            self._queued.clear()
            wait_s = None if due_ms is None else (due_ms - _monotonic_ms()) / 1000
            try:
                await asyncio.wait_for(self._queued.wait(), wait_s)
            except TimeoutError:
                return

    async def _score(self, scorer: Scorer, batch: Batch) -> None:
        try:
            predictions = await self._predict(scorer, batch.items, batch.waited_ms)
        finally:
            self._in_hand -= 1
            self._ahead.release()
            self._queued.set()
        for item, prediction in zip(batch.items, predictions, strict=True):
            self._answer(item, prediction)

    async def _predict(
        self, scorer: Scorer, items: Sequence[Encoded], waited_ms: int
    ) -> list[Prediction | InternalError]:
        """The predictions of a batch; where the model fails on it, those of its halves."""
        try:
            scored = await self._worker.score(items, scorer)
        except DeviceLost:
            raise
        except InternalError as error:
            self._telemetry.emit(BatchBisected(len(items), str(error)))
            if isinstance(error, MemoryShort):
                self._shrink(Batch(tuple(items), waited_ms), error)
            if len(items) == 1:
                return [error]
        else:
            batch = Batch(tuple(items), waited_ms)
            padded = batch.padded if scorer.pads else batch.tokens
            self._telemetry.emit(BatchScored(len(items), batch.tokens, padded, float(waited_ms), scored.seconds))
            self._batcher.pace.taken(batch.tokens, 1000 * scored.seconds)
            if self._explaining is not None:
                self._explaining.scored(scored.seconds)
            self._answers.keep(scorer, items, scored.predictions)
            return list(scored.predictions)
        middle = len(items) // 2
        halves = [await self._predict(scorer, half, waited_ms) for half in (items[:middle], items[middle:])]
        return halves[0] + halves[1]

    def _shrink(self, batch: Batch, error: MemoryShort) -> None:
        """What did not fit is halved, and no later batch is larger than a half. One pair alone that finds no memory
        ends the process: the device is full of something else."""
        if len(batch.items) == 1:
            raise DeviceLost(f"not even one text fits: {error}") from error
        if (limits := self._batcher.shrink(len(batch.items), batch.padded)) is not None:
            most = f"{limits.items_max} pairs and {limits.tokens_max} tokens"
            detail = f"a batch of {len(batch.items)} pairs did not fit; from now on at most {most}"
            self._telemetry.emit(WatchdogBarked("memory", detail))

    def _answer(self, item: Encoded, prediction: Prediction | InternalError) -> None:
        pending = self._pending.get(item.ticket)
        if pending is None:
            return
        if isinstance(prediction, InternalError):
            position = pending.prepared.message.position
            pending.predictions[item.index] = Rejected(position, Reason.MODEL_ERROR, str(prediction))
        else:
            pending.predictions[item.index] = prediction
        pending.missing -= 1
        if not pending.missing:
            self._speak(item.ticket, pending)

    def _speak(self, ticket: Ticket, pending: _Pending) -> None:
        """All windows are answered: say what the document says, once what it says badly is explained."""
        prepared, scorer = pending.prepared, model_of(pending.prepared)
        answered = [prediction for prediction in pending.predictions if prediction is not None]
        spoken = speak(prepared, answered, scorer.per_log)
        if isinstance(spoken, Rejected):
            del self._pending[ticket]
            pending.finish(ticket, self._outcomes.dead(prepared, spoken))
            return
        said = spoken

        def publish(found: Mapping[int, Spans]) -> None:
            if self._pending.pop(ticket, None) is pending:
                signals = assemble(prepared, said, found, scorer, self._now_ms())
                pending.finish(ticket, self._outcomes.scored(prepared, signals))

        explaining = self._explaining
        asked = [] if explaining is None else explained(said, explaining.policy.risk_score_min)
        if explaining is None or not asked:
            publish({})
        else:
            readings = [reading_of(prepared, said[place]) for place in asked]
            explaining.ask(ticket.lane, scorer, readings, lambda spans: publish(dict(zip(asked, spans, strict=True))))


def _monotonic_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
