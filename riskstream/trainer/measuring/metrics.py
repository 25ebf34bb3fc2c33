"""Figures of merit, on numpy arrays. Classes are label positions; a figure that cannot be told is nan, never zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def accuracy(truth: Ints, guess: Ints) -> float:
    """The share that is right."""
    return float(np.mean(truth == guess)) if len(truth) else float("nan")


def f1(truth: Bools, guess: Bools) -> float:
    """Harmonic mean of precision and recall of a yes; nan where there is no yes in either."""
    hits, total = float(np.sum(truth & guess)), float(np.sum(truth) + np.sum(guess))
    return 2 * hits / total if total else float("nan")


def macro_f1(truth: Ints, guess: Ints) -> float:
    """The mean F1 over the classes that occur in the truth."""
    scores = [f1(truth == label, guess == label) for label in np.unique(truth)]
    return float(np.mean(scores)) if scores else float("nan")


def kappa(truth: Ints, guess: Ints, levels: int) -> float:
    """Quadratic-weighted kappa of two ordered ratings: 1 is agreement, 0 what chance would give."""
    if not len(truth):
        return float("nan")
    observed = np.zeros((levels, levels))
    np.add.at(observed, (truth, guess), 1.0)
    weights = np.square(np.subtract.outer(np.arange(levels), np.arange(levels)))
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / len(truth)
    chance = float((weights * expected).sum())
    return 1.0 - float((weights * observed).sum()) / chance if chance else float("nan")


def auc(truth: Bools, score: Floats) -> float:
    """The chance that a yes scores higher than a no; ties count half."""
    positive, negative = int(truth.sum()), int((~truth).sum())
    if not positive or not negative:
        return float("nan")
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def ece(right: Bools, confidence: Floats, bins: int = 15) -> float:
    """Expected calibration error: the mean gap between stated and met confidence, over bins of equal width."""
    if not len(right):
        return float("nan")
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(right[place == k].mean()) - float(confidence[place == k].mean())) * float((place == k).sum())
        for k in range(bins)
        if (place == k).any()
    ]
    return sum(gaps) / len(right)


def brier_skill(truth: Bools, probability: Floats) -> float:
    """One minus the Brier score over that of always saying the base rate."""
    base = float(truth.mean()) if len(truth) else float("nan")
    reference = base * (1 - base)
    return 1.0 - float(np.mean(np.square(probability - truth))) / reference if reference else float("nan")


def levels_of(severity: Floats, steps: tuple[float, ...]) -> Ints:
    """The severity level of each row (texts × labels): how many steps k have P(level ≥ k) at their threshold."""
    above = severity[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    return np.asarray((above >= np.array(steps)).sum(axis=1), dtype=np.int64)
