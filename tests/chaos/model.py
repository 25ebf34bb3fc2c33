"""The model of a chaos run: it costs nothing, answers by the text alone, and stumbles over two words."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from riskstream.core.records import Encoded, Partition, Prediction, Ticket
from riskstream.scoring.plain import ConstantScorer
from tests.chaos.documents import KILL, NAN

_NAN, _KILL = tuple(map(ord, NAN)), tuple(map(ord, KILL))
SLOW_S = 3.0
"""What a batch takes while the model is slow."""


def end_process() -> None:
    """What a crash in native code does: no exception, no last word."""
    os.kill(os.getpid(), signal.SIGKILL)


class ChaosScorer(ConstantScorer):
    """`slow_file`: while it exists, every batch takes `SLOW_S`."""

    def __init__(self, slow_file: Path | None = None, die: Callable[[], None] = end_process) -> None:
        super().__init__("chaos@1")
        self._slow_file, self._die = slow_file, die

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        """One prediction per item, in order; or no return at all."""
        if self._slow_file is not None and self._slow_file.exists():
            time.sleep(SLOW_S)
        if any(_has(item.tokens, _KILL) for item in batch):
            self._die()
        return [self._stumble(item, found) for item, found in zip(batch, super().score(batch), strict=True)]

    def _stumble(self, item: Encoded, found: Prediction) -> Prediction:
        return msgspec.structs.replace(found, risk_score=math.nan) if _has(item.tokens, _NAN) else found


def risk_score(name: str, text: str) -> float:
    """What the signal about the entity of this name must say of this text."""
    scorer = ConstantScorer()
    (tokens,) = scorer.encode([(name, text)])
    (prediction,) = scorer.score([Encoded(Ticket(Partition("", 0), 0, 0), 0, tokens)])
    return round(prediction.risk_score, 4)


def _has(tokens: Sequence[int], word: tuple[int, ...]) -> bool:
    first, size = word[0], len(word)
    return any(tokens[at : at + size] == word for at, token in enumerate(tokens) if token == first)
