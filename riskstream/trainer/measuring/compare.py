"""Two versions on the same rows: is the new one better, worse, or neither?

    compare(new, old, examples) ──► Comparison ──► not_worse(margin=0.01)

Rule 1. Both are measured on the same draws of texts, so a difference has an interval of its own, which is far narrower
        than that of either figure.
Rule 2. `delta` is signed so that more is better, also for false alarms and calibration errors.
Rule 3. Where right and wrong can be counted row by row, McNemar's exact test stands beside the bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np

from riskstream.core.errors import OperatorError
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.data.examples import Example
from riskstream.trainer.measuring.bootstrap import DRAWS, SEED, bounds, point, replicates
from riskstream.trainer.measuring.forward import run
from riskstream.trainer.measuring.metrics import Bools
from riskstream.trainer.measuring.scored import LOW_IS_GOOD, Scored, figure, scored
from riskstream.trainer.measuring.slices import plain_slices

FIGURES = (
    "sentiment.accuracy",
    "sentiment.macro_f1",
    "severity.kappa",
    "risk_score.auc",
    "risk_score.recall",
    "risk_score.false_alarms",
    "risk.micro_f1",
    "topic.accuracy",
)
"""What is compared on every slice, unless the caller names others."""
ROWS_MIN = 20
"""A figure that rests on fewer rows is not compared: its interval would say nothing."""


class Change(msgspec.Struct, frozen=True):
    """One figure on one slice, old and new. `delta` > 0 is better; `p` is the bootstrap's, two-sided."""

    slice: str
    figure: str
    n: int
    old: float
    new: float
    delta: float
    low: float
    high: float
    p: float
    mcnemar_p: float | None = None


class Comparison(msgspec.Struct, frozen=True):
    """All changes from `old` to `new`, versions by name."""

    new: str
    old: str
    changes: tuple[Change, ...]

    def worse(self, margin: float = 0.0) -> tuple[Change, ...]:
        """The figures that fell by more than `margin`, with an interval that excludes no change."""
        return tuple(change for change in self.changes if change.delta < -margin and change.high < 0)

    def unproven(self, margin: float) -> tuple[Change, ...]:
        """The figures for which a fall of more than `margin` cannot be excluded (low end of the interval below it)."""
        return tuple(change for change in self.changes if not change.low >= -margin)

    def not_worse(self, margin: float = 0.0, *, proven: bool = False) -> bool:
        """Whether nothing fell by more than `margin`; `proven` asks that every interval exclude such a fall.

        A comparison without changes proves nothing and is not "not worse".
        """
        return bool(self.changes) and not (self.unproven(margin) if proven else self.worse(margin))


def compare(
    new: TorchScorer,
    old: TorchScorer,
    examples: Sequence[Example],
    *,
    figures: Sequence[str] = FIGURES,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Comparison:
    """Score the examples with both versions and compare them on every file, every language and all rows together.

    Takes two forward passes over the examples. Raises OperatorError where the versions' labels differ.
    """
    if new.labels != old.labels:
        raise OperatorError("against", old.name, f"its labels are not those of {new.name}", "compare like with like")
    tables = [scored(run(scorer, examples), examples, scorer.manifest) for scorer in (new, old)]
    wanted = [(name, figure, places) for name, places in plain_slices(examples).items() for figure in figures]
    return Comparison(new.name, old.name, changes(tables[0], tables[1], wanted, draws=draws, seed=seed))


def changes(
    new: Scored,
    old: Scored,
    wanted: Sequence[tuple[str, str, Sequence[int]]],
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> tuple[Change, ...]:
    """The changes of (slice, figure, places of its rows) on two tables of the same examples."""
    found = []
    cache: dict[tuple[str, str], tuple[Scored, Scored]] = {}
    for name, what, places in wanted:
        head = what.split(".")[0]
        if (name, head) not in cache:
            cache[name, head] = new.take(places).labelled(head), old.take(places).labelled(head)
        change = _change(name, what, *cache[name, head], draws, seed)
        if change.n >= ROWS_MIN and not math.isnan(change.delta):
            found.append(change)
    return tuple(found)


def _change(name: str, what: str, new: Scored, old: Scored, draws: int, seed: int) -> Change:
    (after, n), (before, _) = figure(what, new), figure(what, old)
    sign = -1.0 if what in LOW_IS_GOOD else 1.0
    size = len(new.examples)
    if n < ROWS_MIN:
        return Change(name, what, n, *(float("nan"),) * 6)
    values = replicates([after, before], new.texts, draws, seed)
    moved = sign * (values[0] - values[1])
    low, high = bounds(moved)
    was, is_now = point(before, size), point(after, size)
    tests = row_outcomes(what, new), row_outcomes(what, old)
    exact = mcnemar(tests[0], tests[1]) if tests[0] is not None and tests[1] is not None else None
    return Change(name, what, n, was, is_now, sign * (is_now - was), low, high, _two_sided(moved), exact)


def row_outcomes(what: str, rows: Scored) -> Bools | None:
    """Whether each row is right, for figures that count rows; None for the rest."""
    head, kind = what.split(".")
    if kind == "accuracy":
        return np.asarray(rows.shares[head].argmax(axis=1) == rows.truth[head], dtype=bool)
    if what == "risk_score.recall":
        return np.asarray(rows.flagged()[rows.wanted()], dtype=bool)
    if what == "risk_score.false_alarms":
        return np.asarray(~rows.flagged()[rows.truth["severity"] == 0], dtype=bool)
    return None


def mcnemar(new: Bools, old: Bools) -> float:
    """McNemar's exact p: of the rows on which the two disagree, is the split one that a fair coin would give?"""
    gained, lost = int((new & ~old).sum()), int((old & ~new).sum())
    total, least = gained + lost, min(gained, lost)
    tail = sum(math.comb(total, k) for k in range(least + 1))
    return min(1.0, float(Fraction(2 * tail, 2**total)))


def _two_sided(moved: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Twice the smaller share of draws on either side of no change; one draw is added, so that it is never zero."""
    told = moved[~np.isnan(moved)]
    if not len(told):
        return float("nan")
    side = min(int((told <= 0).sum()), int((told >= 0).sum()))
    return min(1.0, 2 * (side + 1) / (len(told) + 1))


def table(changes_: Sequence[Change]) -> list[dict[str, Any]]:
    """The changes as rows for JSON: four decimals, None for what cannot be told."""
    rows = []
    for change in changes_:
        row = msgspec.to_builtins(change)
        rows.append(
            {k: (None if math.isnan(v) else round(v, 4)) if isinstance(v, float) else v for k, v in row.items()}
        )
    return rows
