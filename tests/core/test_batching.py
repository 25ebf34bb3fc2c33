"""The micro-batcher: when a batch is due, what goes into it, and that nobody starves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.lanes.batching import Batcher, BatchLimits
from riskstream.core.lanes.pace import Pace
from riskstream.core.records import Encoded, Partition, Ticket

LIMITS = BatchLimits(tokens_max=100, items_max=4, wait_ms_max=20, queue_max=10, look_ahead=8)


def pair(tokens: int, lane: int = 0, sequence: int = 0) -> Encoded:
    return Encoded(Ticket(Partition("news", lane), 1, sequence), 0, (5,) * tokens)


def lengths(batcher: Batcher) -> list[int]:
    batch = batcher.take(now_ms=0)
    return [len(item.tokens) for item in batch.items] if batch else []


@pytest.mark.parametrize(
    ("waiting", "due_ms"),
    [
        pytest.param([], None, id="nothing waits: never"),
        pytest.param([10], 1020, id="one waits: when its time is up"),
        pytest.param([10, 10, 10, 10], 0, id="as many as fit: at once"),
        pytest.param([60, 50], 0, id="as many tokens as fit: at once"),
    ],
)
def test_a_batch_is_due(waiting: list[int], due_ms: int | None) -> None:
    batcher = Batcher(LIMITS)
    for tokens in waiting:
        batcher.add(pair(tokens), now_ms=1000)
    assert batcher.due_ms() == due_ms


def test_an_idle_model_takes_what_there_is_at_once() -> None:
    batcher = Batcher(LIMITS)
    assert batcher.due_ms(idle=True) is None
    batcher.add(pair(10), now_ms=1000)
    assert (batcher.due_ms(idle=True), batcher.due_ms()) == (0, 1020)


def test_the_budget_is_that_of_the_models_pace() -> None:
    pace = Pace(latency_ms=100)
    batcher = Batcher(BatchLimits(tokens_max=2000, items_max=99), pace)
    for sequence in range(10):
        batcher.add(pair(100, sequence=sequence), now_ms=0)
    assert batcher.due_ms() == 20
    pace.taken(1200, 100)
    assert batcher.due_ms() == 0
    assert lengths(batcher) == [100] * 6


@pytest.mark.parametrize(
    ("waiting", "first"),
    [
        pytest.param([10, 10, 10], [10, 10, 10], id="like lengths go together"),
        pytest.param([10, 90, 12], [10, 12], id="a long one would pad the short ones"),
        pytest.param([90, 10, 12], [90], id="the oldest goes first, even alone"),
        pytest.param([20, 20, 20, 20, 20], [20, 20, 20, 20], id="never more than items_max"),
        pytest.param([300], [300], id="one that is over the budget goes alone"),
    ],
)
def test_what_goes_together(waiting: list[int], first: list[int]) -> None:
    batcher = Batcher(LIMITS)
    for now_ms, tokens in enumerate(waiting):
        batcher.add(pair(tokens, sequence=now_ms), now_ms=now_ms)
    assert lengths(batcher) == first


def test_lanes_take_turns() -> None:
    batcher = Batcher(BatchLimits(tokens_max=1000, items_max=4, look_ahead=4, queue_max=100))
    for sequence in range(8):
        batcher.add(pair(10, lane=0, sequence=sequence), now_ms=0)
    for sequence in range(2):
        batcher.add(pair(10, lane=1, sequence=sequence), now_ms=0)
    batch = batcher.take(now_ms=0)
    assert batch is not None
    assert sorted(item.ticket.lane.partition for item in batch.items) == [0, 0, 1, 1]


def test_a_batch_says_how_long_its_oldest_waited() -> None:
    batcher = Batcher(LIMITS)
    batcher.add(pair(10), now_ms=100)
    batch = batcher.take(now_ms=117)
    assert batch is not None
    assert (batch.waited_ms, batch.tokens, batch.padded) == (17, 10, 10)


def test_a_closed_lane_leaves_nothing_behind() -> None:
    batcher = Batcher(LIMITS)
    batcher.add(pair(10, lane=0), now_ms=0)
    batcher.add(pair(11, lane=1), now_ms=0)
    assert batcher.drop(Partition("news", 0)) == 1
    assert batcher.drop(Partition("news", 0)) == 0
    assert len(batcher) == 1
    assert lengths(batcher) == [11]


@given(st.lists(st.tuples(st.integers(1, 120), st.integers(0, 3)), max_size=60))
def test_everything_leaves_once_within_the_limits_and_its_lane_in_order_of_age(work: list[tuple[int, int]]) -> None:
    batcher = Batcher(LIMITS)
    for sequence, (tokens, lane) in enumerate(work):
        batcher.add(pair(tokens, lane, sequence), now_ms=sequence)
    assert batcher.full == (len(work) >= LIMITS.queue_max)
    left: list[int] = []
    while (batch := batcher.take(now_ms=1000)) is not None:
        assert len(batch.items) <= LIMITS.items_max
        assert batch.padded <= LIMITS.tokens_max or len(batch.items) == 1
        waiting = set(range(len(work))) - set(left)
        sequences = [item.ticket.sequence for item in batch.items]
        heads = {min(s for s in waiting if work[s][1] == lane) for lane in {work[s][1] for s in waiting}}
        assert min(heads) in sequences, "the oldest pair goes with the next batch"
        left += sequences
    assert sorted(left) == list(range(len(work)))
    assert len(batcher) == 0
