"""How sure a figure is: draws of whole texts, with replacement.

    texts of the rows ──► counts per text (draws × texts) ──► weights per row ──► the figure of every draw ──► bounds

Rule 1. Texts are drawn, not rows: two entities of one headline are not two witnesses.
Rule 2. The seed is fixed, so two models measured on the same rows meet the same draws: their difference is paired.
Rule 3. Draws come in blocks of rows × draws that fit `CELLS_MAX`, so memory does not grow with the number of draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np

from riskstream.trainer.measuring.metrics import Floats, Ints

DRAWS = 1000
SEED = 20_25
CELLS_MAX = 1_000_000
"""Rows × draws of one block: 8 MB a matrix, of which a figure holds a handful."""
LEVEL = 0.95

Figure = Callable[[Floats], Floats]
"""Weights (draws × rows) → the value of each draw."""


class Interval(msgspec.Struct, frozen=True):
    """A figure with its 95 % bootstrap interval; nan where it cannot be told."""

    value: float
    low: float
    high: float


def clusters(texts: Sequence[str]) -> Ints:
    """The number of each row's text, in order of first sight."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(text, len(seen)) for text in texts], dtype=np.int64)


def blocks(texts: Ints, draws: int = DRAWS, seed: int = SEED) -> Iterator[Floats]:
    """Weights (draws × rows), some draws at a time; every row of a text weighs as often as the text was drawn."""
    rng = np.random.default_rng(seed)
    count = int(texts.max()) + 1 if len(texts) else 0
    step = max(1, CELLS_MAX // max(1, len(texts)))
    for start in range(0, draws if count else 0, step):
        size = min(step, draws - start)
        drawn = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count).astype(np.float64)[:, texts]


def replicates(figures: Sequence[Figure], texts: Ints, draws: int = DRAWS, seed: int = SEED) -> Floats:
    """The values of several figures on the same draws (figures × draws)."""
    found = [np.stack([figure(weights) for figure in figures]) for weights in blocks(texts, draws, seed)]
    return np.concatenate(found, axis=1) if found else np.full((len(figures), 0), np.nan)


def point(figure: Figure, rows: int) -> float:
    """The figure itself: every row weighs one."""
    return float(figure(np.ones((1, rows)))[0]) if rows else float("nan")


def interval(figure: Figure, texts: Ints, draws: int = DRAWS, seed: int = SEED) -> Interval:
    """The figure and its interval."""
    low, high = bounds(replicates([figure], texts, draws, seed)[0])
    return Interval(point(figure, len(texts)), low, high)


def bounds(values: Floats) -> tuple[float, float]:
    """The middle 95 % of the draws that could be told."""
    told = values[~np.isnan(values)]
    if not len(told):
        return float("nan"), float("nan")
    low, high = np.quantile(told, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
