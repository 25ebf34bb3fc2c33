"""What is said of one series, and the buckets that histograms share."""

from __future__ import annotations

from typing import Literal

import msgspec

WAIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
END_TO_END_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
"""From a fast stage to a night's backlog: published to committed is hours where a feed was down."""
LOAD_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
RATIO = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)


class Series(msgspec.Struct, frozen=True):
    """One metric: its name without `riskstream_`, what it says (its HELP), and what an operator does about it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    advice: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
