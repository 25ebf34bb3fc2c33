"""Figures as functions of row weights: they agree with the plain ones, with copied rows, and with the hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskstream.trainer.measuring import bootstrap, metrics, weighted
from riskstream.trainer.measuring.bootstrap import Interval, blocks, clusters, interval, replicates
from riskstream.trainer.measuring.details import alert_rate, confusion, precision_recall, reliability, yes_no

ONES = np.ones((1, 4))


def yes(*values: int) -> np.ndarray:
    return np.array(values, dtype=bool)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (weighted.average_precision(yes(1, 0, 1, 0), np.array([0.9, 0.8, 0.7, 0.1]), ONES), (1 + 2 / 3) / 2),
        (weighted.average_precision(yes(1, 0, 1, 0), np.array([0.5, 0.5, 0.5, 0.5]), ONES), 0.5),
        (weighted.brier(yes(1, 1, 0, 0), np.array([1.0, 0.0, 0.0, 0.0]), ONES), 0.25),
        (weighted.share(yes(1, 0, 0, 0), np.array([[3.0, 1.0, 0.0, 0.0]])), 0.75),
        (weighted.share(yes(1, 0, 0, 0), np.zeros((1, 4))), np.nan),
        (weighted.label_f1(np.eye(4, dtype=bool), np.eye(4, 4, 1, dtype=bool), ONES, "micro"), 0.0),
        (weighted.label_f1(np.eye(4, dtype=bool), np.eye(4, dtype=bool), ONES, "macro"), 1.0),
    ],
)
def test_a_figure_is_what_the_hand_finds(found: np.ndarray, expected: float) -> None:
    assert found[0] == pytest.approx(expected, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_weights_of_one_give_the_plain_figure_and_a_weight_of_two_is_a_copy(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    truth, guess = rng.integers(4, size=rows), rng.integers(4, size=rows)
    score, counts = rng.integers(6, size=rows) / 5, rng.integers(3, size=rows)
    for weights, copies in ((np.ones(rows), np.arange(rows)), (counts, np.repeat(np.arange(rows), counts))):
        w = weights[None, :].astype(float)
        t, g, s = truth[copies], guess[copies], score[copies]
        pairs = [
            (weighted.share(truth == guess, w), metrics.accuracy(t, g)),
            (weighted.macro_f1(truth, guess, w), metrics.macro_f1(t, g)),
            (weighted.kappa(truth, guess, 4, w), metrics.kappa(t, g, 4)),
            (weighted.auc(truth >= 2, score, w), metrics.auc(t >= 2, s)),
            (weighted.ece(truth >= 2, score, w), metrics.ece(t >= 2, s)),
            (weighted.brier_skill(truth >= 2, score, w), metrics.brier_skill(t >= 2, s)),
        ]
        for found, expected in pairs:
            assert found[0] == pytest.approx(expected, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_an_order_keeping_change_of_the_scores_leaves_the_ranking_figures_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, score, weights = rng.random(30) < 0.4, rng.random(30), rng.integers(3, size=(5, 30)).astype(float)
    for figure in (weighted.auc, weighted.average_precision):
        np.testing.assert_allclose(figure(truth, score, weights), figure(truth, score**3, weights))


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        right = rng.random(150) < 0.8
        found = interval(lambda w, right=right: weighted.share(right, w), np.arange(150), draws=300)
        held += found.low <= 0.8 <= found.high
    assert 0.90 <= held / 300 <= 0.98


def test_rows_of_one_text_are_one_witness() -> None:
    right = np.random.default_rng(1).random(60) < 0.7
    once = interval(lambda w: weighted.share(right, w), np.arange(60))
    copied = interval(lambda w: weighted.share(np.repeat(right, 5), w), np.repeat(np.arange(60), 5))
    apart = interval(lambda w: weighted.share(np.repeat(right, 5), w), np.arange(300))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert apart.high - apart.low < 0.6 * (once.high - once.low)


def test_draws_do_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = clusters(["a", "b", "a", "c"])
    assert texts.tolist() == [0, 1, 0, 2]
    whole = np.concatenate(list(blocks(texts, 50)))
    monkeypatch.setattr(bootstrap, "CELLS_MAX", 8)
    parts = list(blocks(texts, 50))
    assert len(parts) == 25 and whole.shape == (50, 4)
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(whole[:, 0], whole[:, 2])
    assert (whole[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_no_rows_give_no_figure() -> None:
    found = interval(lambda w: weighted.share(yes(), w), np.array([], dtype=np.int64))
    assert np.isnan([found.value, found.low, found.high]).all() and isinstance(found, Interval)
    assert replicates([lambda w: w.sum(axis=1)], np.array([], dtype=np.int64)).shape == (1, 0)


def test_a_slice_told_in_detail() -> None:
    truth, guess = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    assert confusion(truth, guess, 3).tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    one = yes_no(truth == 0, guess == 0, np.array([0.9, 0.2, 0.1, 0.3]))
    assert (one["n"], one["precision"], one["recall"], one["f1"], one["auc"]) == (2, 1.0, 0.5, 0.6667, 0.75)
    bins = reliability(yes(1, 0, 1), np.array([0.5, 0.5, 1.0]))
    assert [(b["n"], b["stated"], b["met"]) for b in bins] == [(2, 0.5, 0.5), (1, 1.0, 1.0)]


def test_a_rate_of_alerts_takes_the_top_and_shares_ties() -> None:
    score = np.array([0.9, 0.8, 0.8, 0.1, 0.0])
    top = alert_rate(yes(1, 1, 0, 1, 0), score, 0.4)
    assert (top["alerts"], top["precision"], top["recall"], top["recall_possible"]) == (2, 0.75, 0.5, 0.6667)
    assert alert_rate(yes(0, 0, 0, 0, 0), score, 0.2)["recall"] is None


def test_a_precision_recall_curve_ends_at_the_base_rate() -> None:
    curve = precision_recall(yes(1, 0, 1, 0), np.array([0.9, 0.8, 0.7, 0.1]))
    assert [(p["precision"], p["recall"]) for p in curve] == [(1.0, 0.5), (0.6667, 1.0)]
    assert precision_recall(yes(0, 0), np.array([0.1, 0.2])) == []
