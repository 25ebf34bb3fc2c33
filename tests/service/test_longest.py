"""A model whose longest batch takes longer than a lane has to let go does not start."""

from __future__ import annotations

import pytest

from riskstream.core.errors import OperatorError
from riskstream.scoring.plain import ConstantScorer
from riskstream.sections import Batching, Stages
from riskstream.service.longest import check_longest_batch, full_batch


def taking(seconds: float) -> list[float]:
    return [100.0, 100.0 + seconds]


def test_a_full_batch_holds_rows_of_the_models_own_length() -> None:
    scorer = ConstantScorer(tokens_max=256)
    rows = full_batch(scorer, Batching(tokens_max=4_096, items_max=256))
    assert [len(row.tokens) for row in rows] == [256] * 16
    assert len(full_batch(scorer, Batching(tokens_max=4_096, items_max=3))) == 3
    assert len(full_batch(scorer, Batching(tokens_max=64))) == 1


def test_a_batch_that_ends_in_time_is_told() -> None:
    times = iter(taking(0.25))
    assert check_longest_batch(ConstantScorer(), Batching(), Stages(), lambda: next(times)) == 0.25


def test_a_batch_that_outlasts_the_drain_stops_the_start() -> None:
    times = iter(taking(12.34))
    with pytest.raises(
        OperatorError, match=r"batching\.tokens_max = 4096: a full batch takes 12\.3 s.*drain_ms = 10000"
    ):
        check_longest_batch(ConstantScorer(), Batching(), Stages(), lambda: next(times))
