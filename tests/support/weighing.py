"""A scorer for tests that means something: the log-odds of its risk score are the sum of what the words weigh."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import msgspec

from riskstream.core.records import Encoded, Prediction
from riskstream.scoring.plain import SEPARATOR, ConstantScorer


class Weighing(ConstantScorer):
    """Reads characters, at most `tokens_max` of them, and counts its passes."""

    def __init__(self, weights: Mapping[str, float], *, base: float = 0.0, tokens_max: int = 4_000) -> None:
        super().__init__("weighing@1", tokens_max=tokens_max)
        self.weights, self.base, self.passes = weights, base, 0

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        """Severity and risk score say the same."""
        self.passes += len(batch)
        return [
            msgspec.structs.replace(found, risk_score=score, severity=(1 - score, 0.0, 0.0, score))
            for found, score in zip(super().score(batch), map(self.said, batch), strict=True)
        ]

    def said(self, item: Encoded) -> float:
        """The risk score of a pair."""
        text = "".join(map(chr, item.tokens[item.tokens.index(SEPARATOR) + 1 :]))
        total = self.base + sum(self.weights.get(word, 0.0) for word in re.findall(r"\w+", text))
        return 1 / (1 + math.exp(-total))
