"""Figures of merit, losses and calibration, against cases that can be told by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from riskstream.core.records import Labels
from riskstream.scoring.calibration import predictions, softmax, upper_logit
from riskstream.scoring.manifest import Platt
from riskstream.trainer.data.examples import Example
from riskstream.trainer.fitting.loop import rate
from riskstream.trainer.fitting.loss import UNLABELLED, contrast, severity_loss
from riskstream.trainer.measuring.calibrate import (
    calibrate,
    category_thresholds,
    fit_platt,
    recall_threshold,
    temperature,
)
from riskstream.trainer.measuring.metrics import auc, brier_skill, ece, f1, kappa, levels_of, macro_f1


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def yes(*values: int) -> np.ndarray:
    return np.array(values, dtype=bool)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (kappa(ints(0, 1, 2, 3), ints(0, 1, 2, 3), 4), 1.0),
        (kappa(ints(0, 0, 3, 3), ints(0, 3, 0, 3), 4), 0.0),
        (kappa(ints(0, 3), ints(3, 0), 4), -1.0),
        (auc(yes(0, 0, 1, 1), np.array([0.1, 0.2, 0.3, 0.4])), 1.0),
        (auc(yes(0, 1), np.array([0.5, 0.5])), 0.5),
        (f1(yes(1, 1, 0), yes(1, 0, 1)), 0.5),
        (macro_f1(ints(0, 0, 1), ints(0, 0, 1)), 1.0),
        (ece(yes(1, 0), np.array([0.75, 0.75])), 0.25),
        (brier_skill(yes(1, 0), np.array([1.0, 0.0])), 1.0),
        (brier_skill(yes(1, 0), np.array([0.5, 0.5])), 0.0),
    ],
)
def test_a_figure_is_what_the_hand_finds(found: float, expected: float) -> None:
    assert found == pytest.approx(expected)


def test_a_figure_that_cannot_be_told_is_nan() -> None:
    assert all(map(math.isnan, (auc(yes(1, 1), np.array([0.1, 0.2])), f1(yes(0), yes(0)), kappa(ints(), ints(), 4))))


def test_a_level_is_the_steps_reached() -> None:
    shares = np.array([[0.9, 0.1, 0.0, 0.0], [0.4, 0.6, 0.0, 0.0], [0.1, 0.2, 0.4, 0.3], [0.0, 0.1, 0.2, 0.7]])
    assert levels_of(shares, (0.5, 0.5, 0.5)).tolist() == [0, 1, 2, 3]
    assert levels_of(shares, (0.5, 0.8, 0.5)).tolist() == [0, 1, 1, 3]


def test_the_risk_score_before_calibration_is_the_upper_half_of_the_scale() -> None:
    logits = np.array([[2.0, 0.5, -1.0, 0.3]])
    (one,) = predictions({"severity": logits}, {}, Platt())
    assert one.risk_score == pytest.approx(sum(one.severity[2:]))
    assert float(upper_logit(logits)[0]) == pytest.approx(math.log(one.risk_score / (1 - one.risk_score)))


def test_calibration_finds_what_was_hidden() -> None:
    rng = np.random.default_rng(5)
    z = rng.normal(size=20_000) * 2
    truth = rng.random(20_000) < 1 / (1 + np.exp(-(0.7 * z - 1.0)))
    platt = fit_platt(z, truth)
    assert platt.slope == pytest.approx(0.7, abs=0.05) and platt.offset == pytest.approx(-1.0, abs=0.05)
    sharp = rng.normal(size=(8_000, 3))
    labels = [int(rng.choice(3, p=p)) for p in softmax(sharp)]
    assert temperature("sentiment", sharp * 2.0, labels) == pytest.approx(2.0, rel=0.08)
    scores = np.linspace(0, 1, 101)
    assert recall_threshold(scores, scores >= 0.5) == pytest.approx(0.55)


@pytest.mark.parametrize(("precision", "limit"), [(0.0, 0.31), (0.9, 0.61), (1.0, 0.91)])
def test_a_category_is_said_where_its_precision_is_reached(precision: float, limit: float) -> None:
    scores = np.array([0.95] * 10 + [0.7] * 19 + [0.7] + [0.4] * 14 + [0.4] * 6 + [0.1] * 60)[:, None]
    truth = np.array([True] * 10 + [True] * 19 + [False] + [True] * 14 + [False] * 6 + [False] * 60)[:, None]
    (found,) = category_thresholds(scores, truth, precision)
    assert abs(found - limit) < 0.3
    assert truth[scores >= found].mean() >= precision


def test_a_calibration_covers_every_head() -> None:
    labels = Labels(("a", "b", "c"), ("none", "watch", "material", "severe"), ("credit", "legal"))
    rng = np.random.default_rng(1)
    examples = [
        Example(str(n), "", "en", "s", "", "valid", ("x",), 1.0, 1, n % 3, n % 4, (n % 2,), None) for n in range(80)
    ]
    logits = {head: rng.normal(size=(80, size)) for head, size in (("sentiment", 3), ("severity", 4), ("risk", 2))}
    found = calibrate(logits, examples, labels)
    assert set(found.temperatures) == set(logits)
    assert len(found.thresholds.risk) == 2 and len(found.thresholds.severity) == 3


def test_severity_costs_more_the_further_it_is_off() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, 4.0]])
    near, far = (
        severity_loss(logits, torch.tensor([t]), 1.0) - severity_loss(logits, torch.tensor([t]), 0.0) for t in (2, 0)
    )
    assert far > 2 * near > 0
    assert severity_loss(logits, torch.tensor([UNLABELLED]), 1.0) == 0.0


@pytest.mark.parametrize(
    ("logits", "labels", "draws", "expected"),
    [
        ([[2.0, 0.0], [0.0, 1.0]], [0, 1], [5, 5], math.log1p(math.exp(-3.0))),
        ([[12.0, 10.0], [-7.0, -6.0]], [0, 1], [5, 5], math.log1p(math.exp(-3.0))),
        ([[2.0, 0.0], [2.0, 0.0]], [0, 1], [5, 5], math.log(2.0)),
        ([[2.0, 0.0], [0.0, 1.0]], [0, 1], [5, 6], 0.0),
        ([[2.0, 0.0], [0.0, 1.0]], [1, 1], [5, 5], 0.0),
        ([[2.0, 0.0], [0.0, 1.0]], [0, UNLABELLED], [5, 5], 0.0),
    ],
    ids=["told apart", "whatever the text adds", "alike", "two texts", "one label", "unlabelled"],
)
def test_the_contrast_looks_at_the_difference_between_entities_of_one_text_alone(
    logits: list[list[float]], labels: list[int], draws: list[int], expected: float
) -> None:
    found = contrast(torch.tensor(logits), torch.tensor(labels), torch.tensor(draws))
    assert float(found) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("progress", "share"), [(0.0, 0.0), (0.05, 0.5), (0.1, 1.0), (0.55, 0.5), (1.0, 0.0), (1.2, 0.0)]
)
def test_the_learning_rate_rises_and_falls(progress: float, share: float) -> None:
    assert rate(progress, 0.1) == pytest.approx(share)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_a_network_that_is_too_sure_of_itself_is_calibrated_too(scale: float) -> None:
    random = np.random.default_rng(5)
    line = random.normal(0.0, 3.0, 4000)
    truth = random.random(4000) < 1 / (1 + np.exp(-(line - 1.0)))
    found = fit_platt(line * scale, truth)
    assert found.slope * scale == pytest.approx(1.0, abs=0.1)
    assert found.offset == pytest.approx(-1.0, abs=0.2)
