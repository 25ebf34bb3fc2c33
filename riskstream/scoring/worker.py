"""The model and the tokenizer on threads of their own, awaited from the event loop, which never computes.

    event loop ── encode(pairs) ──► tokenizer thread ──► token ids
               ── score(items)  ──► at most 2 in hand ──► model thread ──► predictions
                                    (1 running + 1 ready)

Rule 1. A failure of the model is an InternalError to whoever awaits; the worker goes on with the next batch.
Rule 2. At most `IN_HAND` batches are with the model thread: the second stands ready while the first runs, so the model
        never waits for the loop. Others wait in order, on the loop's side, where they can still be given up.
Rule 3. After `close` nothing is begun: what still waits is refused, what runs is finished.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from riskstream.core.errors import InternalError, OperatorError
from riskstream.core.ports import Scorer
from riskstream.core.reading.attribution import Reading, Spans
from riskstream.core.records import Encoded, Prediction
from riskstream.scoring.explain import LeaveOut
from riskstream.scoring.failures import meaning

IN_HAND = 2

A = TypeVar("A")
B = TypeVar("B")


class Scored(msgspec.Struct, frozen=True):
    """The predictions of one batch, and the seconds that the model took, without its wait for the model."""

    predictions: list[Prediction]
    seconds: float


class Explained(msgspec.Struct, frozen=True):
    """The spans of some readings, and the seconds that the model took for them."""

    spans: list[Spans]
    seconds: float


class Worker:
    """Runs one `Scorer` at a time, and those of a caller that began with another. Made and used on one event loop."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._model = ThreadPoolExecutor(max_workers=1, thread_name_prefix="riskstream-model")
        self._tokenizer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="riskstream-tokenizer")
        self._room = asyncio.Semaphore(IN_HAND)
        self._closed = self._abandoned = False
        self._began: float | None = None

    @property
    def scorer(self) -> Scorer:
        """The model that is being run."""
        return self._scorer

    def use(self, scorer: Scorer) -> None:
        """Another model from now on. Whoever holds tokens of the one before names it when they are scored."""
        self._scorer = scorer

    async def encode(self, pairs: Sequence[tuple[str, str]], scorer: Scorer | None = None) -> list[tuple[int, ...]]:
        """Token ids of (entity, text) pairs, in order. Raises InternalError where the tokenizer fails."""
        self._check_open()
        model = scorer or self._scorer
        try:
            return await asyncio.get_running_loop().run_in_executor(self._tokenizer, model.encode, pairs)
        except OperatorError:
            raise
        except Exception as error:
            raise InternalError(f"the tokenizer of {model.name} failed: {error!r}") from error

    async def score(self, items: Sequence[Encoded], scorer: Scorer | None = None) -> Scored:
        """Predictions for one batch, one per item, in order. Raises InternalError where the model fails on it.

        `scorer` is the model whose tokens they are, the current one if None. A caller that is cancelled gives up its
        batch if the model has not begun it.
        """
        model = scorer or self._scorer
        async with self._room:
            self._check_open()
            try:
                timed = await asyncio.get_running_loop().run_in_executor(self._model, self._timed, model.score, items)
            except OperatorError:
                raise
            except Exception as error:
                raise meaning(error, f"{model.name} failed on a batch of {len(items)}") from error
        found = Scored(*timed)
        if len(found.predictions) != len(items):
            given = len(found.predictions)
            raise InternalError(f"{model.name} gave {given} predictions for {len(items)} items")
        return found

    async def explain(self, explainer: LeaveOut, readings: Sequence[Reading]) -> Explained:
        """What moved the score of each reading, in order; takes its turn with the batches. Raises InternalError where
        the model fails."""
        async with self._room:
            self._check_open()
            try:
                loop = asyncio.get_running_loop()
                return Explained(*await loop.run_in_executor(self._model, self._timed, explainer.explain, readings))
            except Exception as error:
                raise meaning(error, f"{len(readings)} texts could not be explained") from error

    async def until_stuck(self, seconds_max: float) -> None:
        """Return when one batch has been in the model for so long. Looks eight times as often."""
        while (began := self._began) is None or time.perf_counter() - began < seconds_max:  # noqa: ASYNC110 - a thread
            await asyncio.sleep(seconds_max / 8)

    def abandon(self) -> None:
        """The model does not come back: refuse everything, and wait for nothing."""
        self._closed = self._abandoned = True

    async def close(self) -> None:
        """Refuse what has not begun, wait for what has, and end the threads."""
        self._closed = True
        loop = asyncio.get_running_loop()
        if self._abandoned:
            self._model.shutdown(wait=False, cancel_futures=True)
            self._tokenizer.shutdown(wait=False, cancel_futures=True)
            return
        for pool in (self._tokenizer, self._model):
            await loop.run_in_executor(None, pool.shutdown)

    def _timed(self, work: Callable[[Sequence[A]], list[B]], items: Sequence[A]) -> tuple[list[B], float]:
        """On the model's thread."""
        self._began = started = time.perf_counter()
        try:
            found = work(items)
        finally:
            self._began = None
        return found, time.perf_counter() - started

    def _check_open(self) -> None:
        if self._closed:
            raise InternalError("the model worker is closed")
