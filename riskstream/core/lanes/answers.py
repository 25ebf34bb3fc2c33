"""Answers that the model gave, for pairs that come again: syndicated copies, retweets, a lane that is read twice.

Rule 1. A repeat has the same version, the same calibration and the same tokens. So it changes what a text costs, never
        what is said of it.
Rule 2. What is not finite is not kept: the next time the model may do better.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from riskstream.core.ports import Scorer
from riskstream.core.recent import Known
from riskstream.core.records import Encoded, Prediction

Key = tuple[str, str, bytes]


class Answers:
    """The answers of the last `answers_max` different pairs, about 2 kB each; 0 keeps none."""

    def __init__(self, answers_max: int) -> None:
        self._answers_max = answers_max
        self._known: Known[Key, Prediction] = Known(answers_max)

    def get(self, scorer: Scorer, tokens: tuple[int, ...]) -> Prediction | None:
        """What this model said of these tokens, if it is still known."""
        return self._known.get(_key(scorer, tokens)) if self._answers_max else None

    def keep(self, scorer: Scorer, items: Sequence[Encoded], predictions: Sequence[Prediction]) -> None:
        """Remember what this model said of a batch."""
        if not self._answers_max:
            return
        for item, prediction in zip(items, predictions, strict=True):
            if math.isfinite(prediction.risk_score):
                self._known.put(_key(scorer, item.tokens), prediction)


def _key(scorer: Scorer, tokens: tuple[int, ...]) -> Key:
    return scorer.name, scorer.calibration, array("I", tokens).tobytes()
