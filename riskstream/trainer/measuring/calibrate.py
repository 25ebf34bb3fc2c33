"""Fits what a version says about its own certainty, on `valid` alone: temperatures, the risk score, thresholds.

logits of valid ──► one temperature a head      least surprise
                ──► Platt on P(material|severe)  least surprise, Newton's method
                ──► thresholds                   severity: best kappa; categories: best F1; risk score: a recall
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from riskstream.core.records import Labels
from riskstream.scoring.calibration import UPPER, Array, probabilities, risk_scores, sigmoid, softmax, upper_logit
from riskstream.scoring.manifest import Platt, Thresholds
from riskstream.trainer.config import CalibrationConfig
from riskstream.trainer.data.examples import Example
from riskstream.trainer.measuring.metrics import Bools, f1, kappa, levels_of
from riskstream.trainer.measuring.windows import KINDS, fit_window_log

POSITIVES_MIN = 15
"""A category with fewer positives in `valid` takes the threshold that is best for all categories together."""
TEMPERATURES = np.geomspace(0.4, 4.0, 93)
GRID = np.round(np.arange(0.11, 0.98, 0.02), 2)


class Calibration(msgspec.Struct, frozen=True):
    """All that `valid` decides."""

    temperatures: dict[str, float]
    risk_score: Platt
    thresholds: Thresholds
    window_log: float | None = None


def calibrate(
    logits: Mapping[str, Array],
    examples: Sequence[Example],
    labels: Labels,
    config: CalibrationConfig = CalibrationConfig(),  # noqa: B008 (frozen)
) -> Calibration:
    """Fit on logits per head (examples × labels) and the examples they belong to."""
    temperatures = {}
    for head, values in logits.items():
        rows = [place for place, example in enumerate(examples) if getattr(example, head) is not None]
        temperatures[head] = temperature(head, values[rows], [getattr(examples[place], head) for place in rows])
    judged = [place for place, example in enumerate(examples) if example.severity is not None]
    severity = logits["severity"][judged]
    levels = np.array([examples[place].severity for place in judged], dtype=np.int64)
    platt = fit_platt(upper_logit(severity), levels >= len(labels.severity) - 2)
    shares = probabilities("severity", severity, temperatures["severity"])
    named = [place for place, example in enumerate(examples) if example.risk is not None]
    truth = np.array([[c in (examples[p].risk or ()) for c in range(len(labels.risk))] for p in named])
    risk = probabilities("risk", logits["risk"][named], temperatures["risk"])
    asked = [i for i, p in enumerate(judged) if not config.recall_part or config.recall_part in examples[p].parts]
    thresholds = Thresholds(
        risk_score=recall_threshold(
            risk_scores(severity, platt)[asked], levels[asked] >= len(labels.severity) - 2, config.recall
        ),
        risk=category_thresholds(risk, truth, config.risk_precision),
        severity=severity_steps(shares, levels),
        recall=config.recall,
        risk_precision=config.risk_precision,
    )
    return Calibration(
        temperatures, platt, thresholds, _window_log(severity, platt, [examples[p] for p in judged], levels)
    )


def _window_log(severity: Array, platt: Platt, judged: Sequence[Example], levels: NDArray[np.int64]) -> float | None:
    """For the worst of many windows, fitted on the passages of long documents, else on all rows."""
    log_odds = platt.slope * upper_logit(severity) + platt.offset
    adverse = levels >= severity.shape[1] - UPPER
    of_documents = np.array([example.kind in KINDS for example in judged], dtype=bool)
    fitted = fit_window_log(log_odds[of_documents], adverse[of_documents])
    return fit_window_log(log_odds, adverse) if fitted is None else fitted


def temperature(head: str, logits: Array, truth: Sequence[int | tuple[int, ...]]) -> float:
    """The temperature of least surprise (mean negative log-likelihood)."""
    if not len(truth):
        return 1.0
    losses = []
    for candidate in TEMPERATURES:
        if head == "risk":
            wanted = np.array([[c in row for c in range(logits.shape[1])] for row in truth if isinstance(row, tuple)])
            p = sigmoid(logits / candidate)
            losses.append(-np.mean(np.log(np.clip(np.where(wanted, p, 1 - p), 1e-12, 1.0))))
        else:
            p = softmax(logits / candidate)[np.arange(len(truth)), np.array(truth)]
            losses.append(-np.mean(np.log(np.clip(p, 1e-12, 1.0))))
    return round(float(TEMPERATURES[int(np.argmin(losses))]), 4)


def fit_platt(z: Array, truth: Bools) -> Platt:
    """Logistic regression of a yes on one number, with a touch of shrinkage towards slope 1 and offset 0.

    Newton's method on z in units of its spread, with steps that are halved until the loss falls: a network that is sure
    of itself gives numbers so far apart that full steps run away.
    """
    spread = max(float(np.std(z)), 1e-6)
    design = np.stack([z / spread, np.ones_like(z)], axis=1)
    centre = np.array([spread, 0.0])

    def loss(weights: Array) -> float:
        line = design @ weights
        shrinkage = 0.5e-3 * float(np.square(weights - centre).sum())
        return float(np.sum(np.logaddexp(0.0, line) - truth * line)) + shrinkage

    weights = np.array([1.0, 0.0])
    for _ in range(100):
        p = sigmoid(design @ weights)
        gradient = design.T @ (p - truth) + 1e-3 * (weights - centre)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + 1e-3 * np.eye(2)
        step, now = np.linalg.solve(curvature, gradient), loss(weights)
        while loss(weights - step) > now and np.abs(step).max() > 1e-9:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() <= 1e-9:
            break
    return Platt(slope=round(float(weights[0] / spread), 5), offset=round(float(weights[1]), 5))


def recall_threshold(scores: Array, truth: Bools, recall: float = 0.9) -> float:
    """The highest threshold that still finds this share of the yes rows, at two decimals, rounded down."""
    if not truth.any():
        return 0.5
    return float(np.floor(np.quantile(scores[truth], 1 - recall) * 100) / 100)


def category_thresholds(risk: Array, truth: Bools, precision: float = 0.0) -> tuple[float, ...]:
    """Per category the threshold of best F1 of those with this precision; for rare ones, the best over all of them."""
    together = _best(risk.ravel(), truth.ravel(), precision)
    return tuple(
        _best(risk[:, c], truth[:, c], precision) if truth[:, c].sum() >= POSITIVES_MIN else together
        for c in range(risk.shape[1])
    )


def severity_steps(severity: Array, levels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[float, ...]:
    """The three thresholds of best quadratic kappa, over a grid of 0.15 to 0.85."""
    steps = np.round(np.arange(0.15, 0.86, 0.05), 2)
    size = severity.shape[1]
    best = max(
        itertools.product(*(steps.tolist() for _ in range(size - 1))),
        key=lambda chosen: kappa(levels, levels_of(severity, chosen), size),
    )
    return tuple(float(step) for step in best)


def _best(scores: Array, truth: Bools, precision: float) -> float:
    """Of the grid: best F1 where the precision is reached; where it nowhere is, the best precision."""

    def worth(limit: float) -> tuple[float, float]:
        flagged = scores >= limit
        found = float(truth[flagged].mean()) if flagged.any() else 0.0
        return min(found, precision), float(np.nan_to_num(f1(truth, flagged)))

    return float(max(GRID.tolist(), key=worth))
