"""Figures of merit as functions of row weights, so that one definition gives the value and its spread.

    weights (replicates × rows) ──► one value per replicate

All weights one: the figure as `metrics.py` has it. The counts of a bootstrap draw: the same figure on that draw. A
thousand draws are a thousand lines of one matrix, so nothing here loops over draws. What cannot be told is nan.
"""

from __future__ import annotations

import numpy as np

from riskstream.trainer.measuring.metrics import Bools, Floats, Ints


def share(yes: Bools, weights: Floats) -> Floats:
    """The weight of the yes rows over the weight of all."""
    return _ratio(weights @ yes.astype(np.float64), weights.sum(axis=1))


def macro_f1(truth: Ints, guess: Ints, weights: Floats) -> Floats:
    """The mean F1 over the classes that occur in the truth of a draw."""
    labels = np.unique(truth)
    real, said = truth[:, None] == labels, guess[:, None] == labels
    present = weights @ real.astype(np.float64)
    f1 = _ratio(2 * (weights @ (real & said).astype(np.float64)), present + weights @ said.astype(np.float64))
    return _ratio(np.where(present > 0, np.nan_to_num(f1), 0.0).sum(axis=1), (present > 0).sum(axis=1))


def kappa(truth: Ints, guess: Ints, levels: int, weights: Floats) -> Floats:
    """Quadratic-weighted kappa: one minus the squared distance over the one that chance would give."""
    scale = np.arange(levels)
    real = weights @ (truth[:, None] == scale).astype(np.float64)
    said = weights @ (guess[:, None] == scale).astype(np.float64)
    apart = weights @ np.square(truth - guess).astype(np.float64)
    far = np.square(np.subtract.outer(scale, scale)).astype(np.float64)
    chance = _ratio(np.einsum("bi,ij,bj->b", real, far, said), weights.sum(axis=1))
    return 1.0 - _ratio(apart, chance)


def auc(truth: Bools, score: Floats, weights: Floats) -> Floats:
    """The chance that a yes scores higher than a no; ties count half."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0]) if len(score) else np.array([], dtype=np.int64)
    if not len(starts):
        return np.full(len(weights), np.nan)
    yes = np.add.reduceat(weights[:, order] * truth[order], starts, axis=1)
    no = np.add.reduceat(weights[:, order] * ~truth[order], starts, axis=1)
    below = np.cumsum(no, axis=1) - no
    return _ratio((yes * (below + no / 2)).sum(axis=1), yes.sum(axis=1) * no.sum(axis=1))


def average_precision(truth: Bools, score: Floats, weights: Floats) -> Floats:
    """The area under the steps of the precision-recall curve; tied scores are one step."""
    order = np.argsort(-score, kind="stable")
    if not len(order):
        return np.full(len(weights), np.nan)
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) < 0])
    yes = np.add.reduceat(weights[:, order] * truth[order], starts, axis=1)
    flagged = np.cumsum(np.add.reduceat(weights[:, order], starts, axis=1), axis=1)
    precision = np.nan_to_num(_ratio(np.cumsum(yes, axis=1), flagged))
    return _ratio((precision * yes).sum(axis=1), yes.sum(axis=1))


def brier_skill(truth: Bools, probability: Floats, weights: Floats) -> Floats:
    """One minus the Brier score over that of always saying the draw's base rate."""
    base = share(truth, weights)
    return 1.0 - _ratio(brier(truth, probability, weights), base * (1 - base))


def brier(truth: Bools, probability: Floats, weights: Floats) -> Floats:
    """The mean squared distance of a probability from what came."""
    return _ratio(weights @ np.square(probability - truth), weights.sum(axis=1))


def ece(right: Bools, confidence: Floats, weights: Floats, bins: int = 15) -> Floats:
    """Expected calibration error over bins of equal width."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = ((right - confidence)[:, None] * (place[:, None] == np.arange(bins))).astype(np.float64)
    return _ratio(np.abs(weights @ gaps).sum(axis=1), weights.sum(axis=1))


def label_f1(truth: Bools, guess: Bools, weights: Floats, average: str) -> Floats:
    """F1 of yes-or-no labels (rows × labels): `micro` over all answers, `macro` as the mean of the labels' own."""
    hits = weights @ (truth & guess).astype(np.float64)
    total = weights @ truth.astype(np.float64) + weights @ guess.astype(np.float64)
    if average == "micro":
        return _ratio(2 * hits.sum(axis=1), total.sum(axis=1))
    each = _ratio(2 * hits, total)
    told = ~np.isnan(each)
    return _ratio(np.where(told, each, 0.0).sum(axis=1), told.sum(axis=1))


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(below > 0, above / below, np.nan), dtype=np.float64)
