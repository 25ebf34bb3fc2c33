"""How often somebody may ask: a token bucket as a value.

    take(allowance, now) ─► (what is left, 0)          taken
                        └─► (the same, wait_s)         not taken; after so long it would be

A second's worth may come at once, then `per_s` a second, evenly.
"""

from __future__ import annotations

import msgspec


class Allowance(msgspec.Struct, frozen=True):
    """What one caller had left at a moment."""

    left: float
    at_s: float


def whole(per_s: float, now_s: float) -> Allowance:
    """The allowance of somebody who has not asked yet."""
    return Allowance(_most(per_s), now_s)


def take(allowance: Allowance, per_s: float, now_s: float) -> tuple[Allowance, float]:
    """Ask once: what is left, and 0 where it was granted, else the seconds until it would be."""
    passed_s = max(0.0, now_s - allowance.at_s)
    left = min(_most(per_s), allowance.left + passed_s * per_s)
    now_s = max(now_s, allowance.at_s)
    if left >= 1:
        return Allowance(left - 1, now_s), 0.0
    return Allowance(left, now_s), (1 - left) / per_s


def _most(per_s: float) -> float:
    return max(1.0, per_s)
