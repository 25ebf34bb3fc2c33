"""What is computed over a window of signals: which field, how many become one number, and how far back.

    field ─► amount of each signal ─► aggregate over `window_ms` ─► value

A signal *supports* a rule if its amount reaches `at_least`. Counts and evidence are of supporting signals; the ratio is
their share of all matched ones; the other aggregates are over every matched signal.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Aggregate = Literal[
    "max", "mean", "sum", "percentile", "decayed_mean", "count", "documents", "sources", "stories", "ratio"
]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
BOUNDED: tuple[Aggregate, ...] = ("max", "mean", "percentile", "decayed_mean")
"""The aggregates whose value stays in the range of the field."""
COUNTS: tuple[Aggregate, ...] = ("count", "documents", "sources", "stories")
"""The aggregates that are a number of things."""
FALLING: tuple[Aggregate, ...] = ("mean", "percentile", "decayed_mean", "ratio")
"""The aggregates that harmless texts pull down, and that may so rise when one of those leaves the window."""
UNIT = 10_000
"""Amounts are in 1 / UNIT."""


class Measure(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is computed over a window.

    `at_least` is in units of the field; `half_life_ms` is for the decayed mean, `percentile` for the percentile, and
    with fewer than `denominator_min` matched signals a ratio is 0.
    """

    field: str
    aggregate: Aggregate
    window_ms: int
    at_least: float
    half_life_ms: int | None = None
    percentile: float | None = None
    denominator_min: int = 1
