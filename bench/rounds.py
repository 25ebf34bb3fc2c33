"""Peers against one another in one run: alternating rounds, ratios within a round, and their spread.

    round 1: a b c     round 2: b c a     round 3: c a b     …     ratio = median over the rounds of b's time / a's time

Rule 1. A figure is a ratio within a round, so that a machine that gets slower counts on both sides.
Rule 2. The order turns with every round, so that nobody always runs after the same neighbour.
Rule 3. A round is begun only while there is time left for it; the first always is.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Peer = Callable[[], object]


class Timing:
    """The seconds of one peer, a round each: of the clock, and of this process's CPUs."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []


def run(peers: Mapping[str, Peer], *, rounds: int, seconds_max: float) -> dict[str, Timing]:
    """Every peer once a round. Each has been warmed up by its maker."""
    names, timings = list(peers), {name: Timing() for name in peers}
    began, longest = time.perf_counter(), 0.0
    for number in range(rounds):
        started = time.perf_counter()
        if number and started - began + longest > seconds_max:
            break
        for name in names[number % len(names) :] + names[: number % len(names)]:
            wall, cpu = time.perf_counter(), time.process_time()
            peers[name]()
            timings[name].wall.append(time.perf_counter() - wall)
            timings[name].cpu.append(time.process_time() - cpu)
        longest = max(longest, time.perf_counter() - started)
    return timings


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """How many times `fast` is faster: the median of the rounds, and the least and the greatest."""
    found = [a / b for a, b in zip(slow, fast, strict=True)]
    return {name: round(pick(found), 2) for name, pick in _PICKS.items()}


T_95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23}
"""Student's t for the degrees of freedom that a few runs leave."""


def exponent(runs: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """How the cost of (size, cost) grows with the size, as a power, and half its 95 % interval; None for one size."""
    if len({size for size, _ in runs}) < 2:
        return None
    x, y = [math.log(size) for size, _ in runs], [math.log(cost) for _, cost in runs]
    slope, intercept = statistics.linear_regression(x, y)
    left = sum((b - slope * a - intercept) ** 2 for a, b in zip(x, y, strict=True))
    spread = sum((a - statistics.fmean(x)) ** 2 for a in x)
    free = max(1, len(runs) - 2)
    return slope, T_95.get(free, 2.2) * math.sqrt(left / free / spread)


def table(head: list[str], rows: list[list[Any]]) -> str:
    """Columns for people: the first to the left, numbers to the right."""
    cells = [head, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )


_PICKS: dict[str, Callable[[list[float]], float]] = {"median": statistics.median, "least": min, "greatest": max}
