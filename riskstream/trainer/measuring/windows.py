"""How far the worst of many windows is lowered: fitted on documents that are drawn from single passages.

    log-odds of passages of `valid` ─► documents of n = 1, 2, 4 … 128 of them, calm, or with one that is not
                                         └─► the largest of each, less k × ln n ─► the k that surprises least

Rule 1. A document of any length is as likely to be bad news as a single passage is: else the fit would learn that long
        documents are mostly calm, or that they never are.
Rule 2. The draw is seeded: the same passages give the same k.
Rule 3. With few passages there is nothing to fit, and the default of `scoring/manifest.py` stands.

An honest doubt: real documents repeat themselves, and a passage of `valid` is shorter than a window; so this is the
right order of size, no more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskstream.scoring.calibration import Array, sigmoid

SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
DRAWS = 400
"""Documents of each size and kind."""
PASSAGES_MIN = 10
"""Of calm ones, and of others."""
CANDIDATES = np.round(np.arange(0.0, 1.51, 0.05), 2)
KINDS = frozenset({"contract", "filing"})
"""Of rows: what long documents are made of. Where there are too few, all rows stand in."""


def fit_window_log(log_odds: Array, adverse: NDArray[np.bool_]) -> float | None:
    """`Manifest.window_log` from the log-odds of the risk score of passages, and which of them are bad news."""
    calm, bad = log_odds[~adverse], log_odds[adverse]
    if min(len(calm), len(bad)) < PASSAGES_MIN:
        return None
    rng = np.random.default_rng(0)
    share = len(bad) / len(log_odds)
    worst, logs, truth = [], [], []
    for size in SIZES:
        for is_bad in (False, True):
            drawn = rng.choice(calm, size=(DRAWS, size))
            if is_bad:
                drawn[:, 0] = rng.choice(bad, size=DRAWS)
            worst.append(drawn.max(axis=1))
            logs.append(np.full(DRAWS, np.log(size)))
            truth.append(np.full(DRAWS, is_bad))
    top, log, bads = np.concatenate(worst), np.concatenate(logs), np.concatenate(truth)
    weights = np.where(bads, share, 1 - share)

    def surprise(by: float) -> float:
        shares = np.clip(sigmoid(top - by * log), 1e-9, 1 - 1e-9)
        return float(-(weights * np.log(np.where(bads, shares, 1 - shares))).sum())

    return float(min(CANDIDATES, key=surprise))
