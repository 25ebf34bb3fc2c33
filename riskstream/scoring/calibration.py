"""Logits to calibrated probabilities. Pure arithmetic on numpy arrays, float64, row by row.

    sentiment, severity, topic   softmax(logits / temperature)
    risk                         sigmoid(logits / temperature)
    risk_score                   sigmoid(slope × z + offset),  z = log P(material or severe) - log P(none or watch)

The upper half of the severity scale is what a desk would want today; `UPPER` of its labels, counted from the worst.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from riskstream.core.records import Prediction
from riskstream.scoring.manifest import Platt

Array = NDArray[np.float64]
UPPER = 2


def softmax(logits: Array) -> Array:
    """Probabilities over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(logits: Array) -> Array:
    """Probabilities of independent yes and no; never overflows."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))


def upper_logit(severity: Array) -> Array:
    """The logit of P(material or severe), from severity logits (texts × labels) to (texts)."""
    upper = np.logaddexp.reduce(severity[..., -UPPER:], axis=-1)
    lower = np.logaddexp.reduce(severity[..., :-UPPER], axis=-1)
    return np.asarray(upper - lower)


def probabilities(head: str, logits: Array, temperature: float) -> Array:
    """The calibrated probabilities of one head."""
    scaled = logits / temperature
    return sigmoid(scaled) if head == "risk" else softmax(scaled)


def risk_scores(severity: Array, platt: Platt) -> Array:
    """Calibrated P(material or severe) of severity logits (texts × labels)."""
    return sigmoid(platt.slope * upper_logit(severity) + platt.offset)


def predictions(logits: Mapping[str, Array], temperatures: Mapping[str, float], platt: Platt) -> list[Prediction]:
    """One prediction a text; its `risk_score` is nan where a logit is not finite, and the caller rejects it."""
    texts = logits["severity"].shape[0]
    heads: dict[str, list[list[float]]] = {}
    finite = np.ones(texts, dtype=bool)
    with np.errstate(invalid="ignore"):
        for head, values in logits.items():
            finite &= np.isfinite(values).all(axis=1)
            heads[head] = probabilities(head, values, temperatures.get(head, 1.0)).tolist()
        scores = np.where(finite, risk_scores(logits["severity"], platt), np.nan).tolist()
    none: list[list[float]] = [[]] * texts
    return [
        Prediction(tuple(sentiment), tuple(severity), tuple(risk), tuple(topic), score)
        for sentiment, severity, risk, topic, score in zip(
            heads.get("sentiment", none), heads["severity"], heads.get("risk", none), heads.get("topic", none), scores,
            strict=True,
        )
    ]  # fmt: skip
