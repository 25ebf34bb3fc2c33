"""The worst of many windows is lowered by what passages of `valid` say."""

from __future__ import annotations

import numpy as np

from riskstream.trainer.measuring.windows import PASSAGES_MIN, fit_window_log


def passages(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Calm ones about -3 and bad ones about +3, in log-odds, with so much noise."""
    rng = np.random.default_rng(4)
    adverse = np.arange(400) % 4 == 0
    return np.where(adverse, 3.0, -3.0) + rng.normal(0.0, noise, 400), adverse


def test_the_noisier_the_passages_the_lower_the_worst() -> None:
    fitted = [fit_window_log(*passages(noise)) for noise in (0.1, 1.0, 2.0)]
    assert fitted[0] is not None and fitted[0] <= 0.3
    assert fitted == sorted(fitted, key=lambda k: k or 0.0) and len(set(fitted)) == 3


def test_the_same_passages_give_the_same() -> None:
    assert fit_window_log(*passages(1.0)) == fit_window_log(*passages(1.0))


def test_a_calm_long_document_stays_calm() -> None:
    log_odds, adverse = passages(1.0)
    by = fit_window_log(log_odds, adverse)
    assert by is not None
    drawn = np.random.default_rng(9).choice(log_odds[~adverse], size=(500, 64)).max(axis=1)
    assert (drawn > -1.0).mean() > 0.5, "uncorrected, most would look doubtful"
    assert (drawn - by * np.log(64) > 0.0).mean() < 0.02


def test_few_passages_fit_nothing() -> None:
    log_odds, adverse = passages(1.0)
    few = np.flatnonzero(adverse)[PASSAGES_MIN - 1 :]
    assert fit_window_log(np.delete(log_odds, few), np.delete(adverse, few)) is None
