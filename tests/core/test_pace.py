"""The token budget follows the model: full batches where it is fast, smaller ones where they would take too long."""

from __future__ import annotations

import pytest

from riskstream.core.lanes.pace import TOKENS_MIN, Pace


@pytest.mark.parametrize(
    ("tokens", "milliseconds", "budget"),
    [
        pytest.param(0, 0, 4096, id="nothing measured: all that is allowed"),
        pytest.param(1000, 10, 4096, id="100 tokens a millisecond would do 10,000: the limit holds"),
        pytest.param(1000, 100, 1000, id="10 a millisecond: 1,000 in half of 200 ms"),
        pytest.param(1000, 1000, TOKENS_MIN, id="1 a millisecond: never below the least"),
    ],
)
def test_a_budget_is_what_the_model_does_in_half_the_latency(tokens: int, milliseconds: float, budget: int) -> None:
    pace = Pace(latency_ms=200)
    pace.taken(tokens, milliseconds)
    assert pace.budget(4096) == budget


def test_a_smaller_limit_than_the_least_is_kept() -> None:
    pace = Pace(latency_ms=200)
    pace.taken(1000, 1000)
    assert pace.budget(64) == 64


def test_a_slower_model_is_followed_within_a_few_batches() -> None:
    pace = Pace(latency_ms=200)
    pace.taken(2000, 100)
    budgets = []
    for _ in range(15):
        pace.taken(1000, 100)
        budgets.append(pace.budget(100_000))
    assert budgets == sorted(budgets, reverse=True)
    assert budgets[0] == 1800 and budgets[-1] == pytest.approx(1000, rel=0.05)
