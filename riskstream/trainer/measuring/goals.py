"""What a version must reach, as data: one row of the goal table is a slice, a figure and a number.

    GOALS ──► judge(scored) ──► rows with value, 95 % interval, and met or short by how much

Rule 1. A figure that rests on fewer than `ROWS_MIN` rows is shown with its interval and has no verdict.
Rule 2. A row without a goal is there because the rows above it cannot be read honestly without it.
Rule 3. Figures at a threshold use the version's own, which was fixed on `valid`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from riskstream.trainer.measuring.bootstrap import DRAWS, SEED, Interval, interval
from riskstream.trainer.measuring.scored import LOW_IS_GOOD, Scored, figure
from riskstream.trainer.measuring.slices import full_slices

ROWS_MIN = 100


class Goal(msgspec.Struct, frozen=True):
    """A figure on a slice, and the number to reach (None: told, not asked for). `note` says what the rows are."""

    name: str
    slice: str
    figure: str
    goal: float | None = None
    note: str = ""


GOALS = (
    Goal("English sentiment", "tfns", "sentiment.accuracy", 0.90, "published split of tweets"),
    Goal("English sentiment", "tfns", "sentiment.macro_f1", 0.87, "published split of tweets"),
    Goal("entity sentiment", "sentfin", "sentiment.macro_f1", 0.80, "held-out headlines"),
    Goal("pairs, all right", "pairs", "sentiment.pairs_differ", 0.75, "texts whose entities' labels differ"),
    Goal("pairs, both poles right", "pairs", "sentiment.pairs_opposed", None, "negative against positive alone"),
    Goal("topic", "tfnt", "topic.accuracy", 0.88, "published split without copies of train"),
    Goal("severity", "real", "severity.kappa", 0.85, "real headlines, all draws"),
    Goal("severity", "real random", "severity.kappa", None, "real headlines, fair draw"),
    Goal("severity", "written", "severity.kappa", 0.72, "written test rows, hard on purpose"),
    Goal("risk score", "real", "risk_score.auc", 0.95),
    Goal("risk score", "real random", "risk_score.auc"),
    Goal("risk score", "written", "risk_score.auc", 0.90),
    Goal("risk score", "real", "risk_score.brier_skill", 0.55),
    Goal("risk score", "real", "risk_score.ece", None, "read its upper bound"),
    Goal("risk score", "real random", "risk_score.ece", None, "read its upper bound"),
    Goal("risk score, severity 2 and 3", "real", "risk_score.recall", 0.90),
    Goal("risk score, severity 2 and 3", "real random", "risk_score.recall", 0.90),
    Goal("risk score, severity 2 and 3", "written", "risk_score.recall"),
    Goal("risk score, severity 0", "real random", "risk_score.false_alarms", 0.03, "fair draw"),
    Goal("risk score, severity 0", "real plain", "risk_score.false_alarms", 0.03, "draws that were not sought for"),
    Goal("risk score, severity 0", "real", "risk_score.false_alarms", None, "all draws together"),
    Goal("risk score, hard negatives", "real hard", "risk_score.false_alarms", None, "draws `rare` and `uncertain`"),
    Goal("risk score, hard negatives", "written", "risk_score.false_alarms", None, "written traps"),
    Goal("categories", "all", "risk.micro_f1", 0.80, "those with 30 positives or more"),
    Goal("categories", "all", "risk.macro_f1", 0.72, "those with 30 positives or more"),
    Goal("Chinese, severity", "test.zh", "severity.kappa", 0.70),
    Goal("Chinese, risk score", "test.zh", "risk_score.auc", 0.88),
    Goal("Chinese, categories", "test.zh", "risk.macro_f1", 0.68, "those with 30 positives or more"),
    Goal("Chinese, sentiment", "test.zh", "sentiment.macro_f1", 0.78),
)


class Judged(msgspec.Struct, frozen=True):
    """A goal with what was found. `verdict`: met, short, few rows, no goal, or not told; `short` is by how much."""

    goal: Goal
    n: int
    found: Interval
    verdict: str
    short: float = 0.0
    removed: int = 0


def judge(
    rows: Scored, leaked: Collection[str] = (), *, draws: int = DRAWS, seed: int = SEED, goals: Sequence[Goal] = GOALS
) -> list[Judged]:
    """Every goal on these rows. Those with a text or id in `leaked`, copies of training texts, are left out."""
    slices = full_slices(rows.examples)
    known, found = frozenset(leaked), []
    for goal in goals:
        places = slices.get(goal.slice, [])
        kept = [place for place in places if known.isdisjoint((rows.examples[place].text, rows.examples[place].id))]
        part = rows.take(kept).labelled(goal.figure.split(".")[0])
        measure, n = figure(goal.figure, part)
        told = interval(measure, part.texts, draws, seed)
        verdict, short = _verdict(goal, n, told.value)
        found.append(Judged(goal, n, told, verdict, short, len(places) - len(kept)))
    return found


def _verdict(goal: Goal, n: int, value: float) -> tuple[str, float]:
    if math.isnan(value):
        return "not told", 0.0
    if goal.goal is None:
        return "no goal", 0.0
    if n < ROWS_MIN:
        return "few rows", 0.0
    short = value - goal.goal if goal.figure in LOW_IS_GOOD else goal.goal - value
    return ("short", round(short, 4)) if short > 0 else ("met", 0.0)


def as_rows(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Flat rows for JSON: four decimals, None for what cannot be told."""
    return [
        {
            **msgspec.to_builtins(one.goal),
            "n": one.n,
            **{key: _rounded(value) for key, value in msgspec.structs.asdict(one.found).items()},
            "verdict": one.verdict,
            "short": one.short,
            "leaked_rows_removed": one.removed,
        }
        for one in judged
    ]


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
