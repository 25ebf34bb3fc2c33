"""The plain edge of the `Scorer` port: no weights, no cost, and the same answer for the same tokens.

Tests and benches of everything around the model use it. Its tokens are the text's characters; its probabilities come
from a hash of them, so two texts differ, one text always gets the same, and a batch makes no difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from riskstream.core.passages import Span
from riskstream.core.records import Encoded, Labels, Prediction

LABELS = Labels(
    sentiment=("negative", "neutral", "positive"),
    severity=("none", "watch", "material", "severe"),
    risk=("credit", "market", "legal"),
    topic=("Macro", "Earnings"),
)
SEPARATOR = 0x110000
"""One above the last code point: stands between entity and text."""


class ConstantScorer:
    """Pseudo-scores that are a function of the tokens alone. `tokens_max` cuts the text, as a model would."""

    def __init__(self, name: str = "constant@1", labels: Labels = LABELS, tokens_max: int = 256) -> None:
        self.name = name
        self.labels = labels
        self.calibration = "none"
        self.pads = False
        self.backend = "none"
        self.tokens_max = tokens_max
        self.per_log = 0.0

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, ...]]:
        """Code points of the entity, a separator, and those of the text."""
        return [((*map(ord, entity), SEPARATOR, *map(ord, text)))[: self.tokens_max] for entity, text in pairs]

    def pieces(self, text: str) -> list[Span]:
        """Each character."""
        return [(place, place + 1) for place in range(len(text))]

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        """One prediction per item, in order."""
        return [self._prediction(item.tokens) for item in batch]

    def _prediction(self, tokens: tuple[int, ...]) -> Prediction:
        seed = hashlib.blake2b(b"".join(token.to_bytes(4, "big") for token in tokens), digest_size=32).digest()
        labels = self.labels
        severity = _shares(seed[8:16], len(labels.severity))
        return Prediction(
            sentiment=_shares(seed[:8], len(labels.sentiment)),
            severity=severity,
            risk=tuple(seed[16 + place % 8] / 255 for place in range(len(labels.risk))),
            topic=_shares(seed[24:32], len(labels.topic)),
            risk_score=sum(severity[len(severity) // 2 :]),
        )


def _shares(seed: bytes, size: int) -> tuple[float, ...]:
    """`size` positive numbers that sum to one."""
    parts = [1 + seed[place % len(seed)] for place in range(size)]
    return tuple(part / sum(parts) for part in parts)
