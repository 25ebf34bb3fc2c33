"""Explanations beside the scoring: asked once a document is scored, awaited by its signals, bounded in every way.

    ask(readings) ─► known? ─► at once
                       └─► queue ─► its turn (`core/lanes/share.py`) ─► model thread ─► cache ─► done(spans)
                             └── full, or the model failed ─► done without spans, and counted

Rule 1. An explanation is a decoration: without it a signal is published all the same.
Rule 2. While pairs wait for the model, explaining takes at most `share_max` of its time.
Rule 3. What waits is at most `queue_max` readings, and one turn is at most `CHARS_MAX` characters or one reading. So a
        signal waits for a bounded time, and a batch for one turn at most.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from riskstream.core.errors import DeviceLost, InternalError
from riskstream.core.lanes.share import Share
from riskstream.core.ports import Scorer
from riskstream.core.reading.attribution import Reading, Spans
from riskstream.core.recent import Known
from riskstream.core.records import Partition
from riskstream.scoring.explain import ExplainLimits, LeaveOut
from riskstream.scoring.worker import Worker
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import Explanations

CHARS_MAX = 1_200
"""About one long window or eight headlines: a turn is then about as long as a batch."""
KNOWN_MAX = 4_096
"""About 4 MB. Copies and repetitions of a text come within hours of it."""


class ExplainPolicy(msgspec.Struct, frozen=True):
    """Which signals are explained, and how much of the model's time that may take."""

    risk_score_min: float = 0.5
    queue_max: int = 64
    share_max: float = 0.25
    limits: ExplainLimits = ExplainLimits()


class _Ask:
    """Readings of one document that are waited for."""

    __slots__ = ("done", "found", "lane", "missing")

    def __init__(self, lane: Partition, size: int, done: Callable[[Sequence[Spans]], None]) -> None:
        self.lane, self.done = lane, done
        self.found: list[Spans] = [()] * size
        self.missing = size

    def answer(self, place: int, spans: Spans) -> None:
        self.found[place] = spans
        self.missing -= 1
        if not self.missing:
            self.done(self.found)


class _Waiting(msgspec.Struct, frozen=True):
    ask: _Ask
    place: int
    scorer: Scorer
    reading: Reading


class Explaining:
    """Explains for the score stage. `busy` says whether pairs wait for the model."""

    def __init__(
        self, worker: Worker, policy: ExplainPolicy, *, busy: Callable[[], bool], telemetry: Telemetry
    ) -> None:
        self.policy = policy
        self._worker, self._busy, self._telemetry = worker, busy, telemetry
        self._share = Share(policy.share_max)
        self._waiting: deque[_Waiting] = deque()
        self._known = Known[tuple[str, Reading], Spans](KNOWN_MAX)
        self._changed = asyncio.Event()

    def ask(
        self, lane: Partition, scorer: Scorer, readings: Sequence[Reading], done: Callable[[Sequence[Spans]], None]
    ) -> None:
        """`done` is called once, now or later, with the spans of each reading; not at all if the lane is closed."""
        ask = _Ask(lane, len(readings), done)
        known = skipped = 0
        for place, reading in enumerate(readings):
            spans = self._known.get((scorer.name, reading))
            if spans is not None:
                known += 1
                ask.answer(place, spans)
            elif len(self._waiting) >= self.policy.queue_max:
                skipped += 1
                ask.answer(place, ())
            else:
                self._waiting.append(_Waiting(ask, place, scorer, reading))
        if known or skipped:
            self._telemetry.emit(Explanations(known=known, skipped=skipped))
        self._changed.set()

    def scored(self, seconds: float) -> None:
        """The model scored for so long."""
        self._share.gave(seconds)
        self._changed.set()

    def closed(self, lane: Partition) -> None:
        """Forget what the lane waits for."""
        self._waiting = deque(one for one in self._waiting if one.ask.lane != lane)

    async def run(self) -> None:
        """Explain until cancelled."""
        while True:
            while not self._waiting or not self._share.may(host_waits=self._busy()):
                self._changed.clear()
                await self._changed.wait()
            await self._turn(self._take())

    def _take(self) -> list[_Waiting]:
        """What one turn explains: readings of one model."""
        taken = [self._waiting.popleft()]
        chars = len(taken[0].reading.text)
        while self._waiting and self._waiting[0].scorer is taken[0].scorer:
            chars += len(self._waiting[0].reading.text)
            if chars > CHARS_MAX:
                break
            taken.append(self._waiting.popleft())
        return taken

    async def _turn(self, taken: Sequence[_Waiting]) -> None:
        scorer = taken[0].scorer
        readings = list(dict.fromkeys(one.reading for one in taken))
        try:
            explained = await self._worker.explain(LeaveOut(scorer, self.policy.limits), readings)
        except DeviceLost:
            raise
        except InternalError as error:
            self._telemetry.emit(Explanations(failed=len(taken), detail=str(error)))
            spans: dict[Reading, Spans] = {}
        else:
            self._share.took(explained.seconds)
            self._telemetry.emit(Explanations(explained=len(readings), seconds=explained.seconds))
            spans = dict(zip(readings, explained.spans, strict=True))
            for reading, found in spans.items():
                self._known.put((scorer.name, reading), found)
        for one in taken:
            one.ask.answer(one.place, spans.get(one.reading, ()))
