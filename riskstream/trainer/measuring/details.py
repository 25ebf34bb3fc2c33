"""All figures of one slice, for a report: per class, over thresholds, over confidence, at a rate of alerts.

    Scored ──► {head: {n, figures, intervals, each, confusion, reliability, …}}    JSON, None for what cannot be told

A curve has at most `POINTS` points, so that a report stays readable by people and diffs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from riskstream.trainer.measuring import weighted
from riskstream.trainer.measuring.bootstrap import bounds, point, replicates
from riskstream.trainer.measuring.metrics import Bools, Floats, Ints
from riskstream.trainer.measuring.scored import HEADS, Scored, figure

POINTS = 40
BINS = 15
ALERT_RATES = (0.01, 0.02, 0.05)
"""Shares of texts that a desk lets through: what it then finds is what a threshold is worth to it."""
NAMED = {
    "sentiment": ("accuracy", "macro_f1", "ece"),
    "severity": ("kappa", "accuracy", "macro_f1", "ece"),
    "risk": ("micro_f1", "macro_f1"),
    "topic": ("accuracy", "macro_f1", "ece"),
    "risk_score": ("auc", "average_precision", "brier", "brier_skill", "ece", "recall", "false_alarms"),
}

Figures = dict[str, Any]


def details(rows: Scored, *, draws: int, each: bool = True, curves: bool = False) -> Figures:
    """The figures of every head that has labels in these rows.

    `curves` adds matrices and curves; without `each`, single classes and categories are left out.
    """
    found: Figures = {}
    for head in (*HEADS, "risk_score"):
        part = rows.labelled(head)
        if not part.examples:
            continue
        found[head] = {"n": len(part.examples)} | headline(part, head, draws)
        if head == "risk_score":
            found[head] |= score_details(part, curves=curves)
        elif head == "risk":
            found[head] |= category_details(part)
        else:
            found[head] |= class_details(part, head, curves=curves)
        if not each:
            found[head].pop("each", None)
    return found


def headline(part: Scored, head: str, draws: int) -> Figures:
    """The head's named figures, with their 95 % intervals."""
    measures = [figure(f"{head}.{kind}", part)[0] for kind in NAMED[head]]
    values = [point(measure, len(part.examples)) for measure in measures]
    spread = replicates(measures, part.texts, draws)
    figures: Figures = {kind: rounded(value) for kind, value in zip(NAMED[head], values, strict=True)}
    pairs = zip(NAMED[head], spread, strict=True)
    return figures | {"intervals": {kind: [rounded(end) for end in bounds(line)] for kind, line in pairs}}


def class_details(part: Scored, head: str, *, curves: bool) -> Figures:
    """Of a head with one answer: weighted F1, Brier, AUC, and each class; with `curves` its matrix and reliability."""
    names, share, truth = getattr(part.manifest.labels, head), part.shares[head], part.truth[head]
    guess = part.levels if head == "severity" else share.argmax(axis=1)
    each = {name: yes_no(truth == k, guess == k, share[:, k]) for k, name in enumerate(names)}
    told = [one for one in each.values() if one["n"]]
    aucs = [one["auc"] for one in told if one["auc"] is not None]
    weight = sum(one["n"] for one in told)
    onehot = truth[:, None] == np.arange(len(names))
    figures: Figures = {
        "weighted_f1": rounded(sum(one["n"] * (one["f1"] or 0.0) for one in told) / weight),
        "auc_macro": rounded(float(np.mean(aucs)) if aucs else math.nan),
        "brier": rounded(float(np.square(share - onehot).sum(axis=1).mean())),
        "each": each,
    }
    if curves:
        figures["labels"] = list(names)
        figures["confusion"] = confusion(truth, guess, len(names)).tolist()
        figures["reliability"] = reliability(share.argmax(axis=1) == truth, share.max(axis=1))
    return figures


def category_details(part: Scored) -> Figures:
    """Of the categories: each one's figures at its threshold, and the mean AUC and Brier score."""
    names, share, said = part.manifest.labels.risk, part.shares["risk"], part.named()
    each = {name: yes_no(part.risk[:, k], said[:, k], share[:, k]) for k, name in enumerate(names)}
    aucs = [one["auc"] for one in each.values() if one["auc"] is not None]
    brier = float(np.square(share - part.risk).mean())
    return {"auc_macro": rounded(float(np.mean(aucs)) if aucs else math.nan), "brier": rounded(brier), "each": each}


def score_details(part: Scored, *, curves: bool) -> Figures:
    """Of the risk score: precision at its threshold, what each rate of alerts finds, the mean score by severity."""
    wanted, scores = part.wanted(), part.scores
    levels = part.truth["severity"]
    figures: Figures = {
        "threshold": part.manifest.thresholds.risk_score,
        "precision": yes_no(wanted, part.flagged(), scores)["precision"],
        "at_alert_rate": [alert_rate(wanted, scores, rate) for rate in ALERT_RATES],
        "flagged_by_severity": {
            name: rounded(float(part.flagged()[levels == k].mean()) if (levels == k).any() else math.nan)
            for k, name in enumerate(part.manifest.labels.severity)
        },
    }
    if curves:
        figures["reliability"] = reliability(wanted, scores)
        figures["precision_recall"] = precision_recall(wanted, scores)
        names = range(len(part.manifest.labels.severity))
        figures["histogram"] = [np.histogram(scores[levels == k], 20, (0, 1))[0].tolist() for k in names]
    return figures


def yes_no(truth: Bools, guess: Bools, score: Floats) -> Figures:
    """Precision, recall and F1 of a yes, AUC and average precision of its score. `n` counts the yes rows."""
    ones = np.ones((1, len(truth)))
    hits, real, said = int((truth & guess).sum()), int(truth.sum()), int(guess.sum())
    return {
        "n": real,
        "precision": rounded(hits / said if said else math.nan),
        "recall": rounded(hits / real if real else math.nan),
        "f1": rounded(2 * hits / (real + said) if real + said else math.nan),
        "auc": rounded(float(weighted.auc(truth, score, ones)[0])),
        "average_precision": rounded(float(weighted.average_precision(truth, score, ones)[0])),
    }


def confusion(truth: Ints, guess: Ints, size: int) -> Ints:
    """Counts, truth down and guess across."""
    return np.bincount(truth * size + guess, minlength=size * size).reshape(size, size).astype(np.int64)


def reliability(right: Bools, confidence: Floats) -> list[Figures]:
    """Stated and met confidence of each bin of equal width that has rows."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "n": int((place == k).sum()),
            "stated": rounded(float(confidence[place == k].mean())),
            "met": rounded(float(right[place == k].mean())),
        }
        for k in range(BINS)
        if (place == k).any()
    ]


def precision_recall(truth: Bools, score: Floats) -> list[Figures]:
    """Precision and recall at the limits that flag the top rows: `POINTS` of them, evenly spaced in recall."""
    order = np.argsort(-score, kind="stable")
    last = np.r_[np.diff(score[order]) < 0, True]
    hits, flagged = np.cumsum(truth[order])[last], (np.flatnonzero(last) + 1)
    if not truth.any():
        return []
    recall = hits / truth.sum()
    chosen = np.unique(np.searchsorted(recall, np.linspace(1 / POINTS, 1.0, POINTS) - 1e-12))
    limits = score[order][last]
    return [
        {"limit": rounded(limits[k]), "precision": rounded(hits[k] / flagged[k]), "recall": rounded(recall[k])}
        for k in chosen.tolist()
    ]


def alert_rate(truth: Bools, score: Floats, rate: float) -> Figures:
    """What is found, and how much of it is right, when the top share `rate` of the texts alert; ties alert in part."""
    count = max(1, round(rate * len(truth)))
    limit = np.sort(score)[-count]
    above, tied = score > limit, score == limit
    hits = truth[above].sum() + truth[tied].mean() * (count - above.sum())
    real = int(truth.sum())
    return {
        "rate": rate,
        "limit": rounded(float(limit)),
        "alerts": count,
        "precision": rounded(float(hits / count)),
        "recall": rounded(float(hits / real) if real else math.nan),
        "recall_possible": rounded(min(1.0, count / real) if real else math.nan),
    }


def rounded(value: float) -> float | None:
    """Four decimals; None, which JSON has, for a figure that cannot be told."""
    return None if math.isnan(value) else round(float(value), 4)
