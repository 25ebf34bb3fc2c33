"""A lane lets results out in the order of its records, and only a complete prefix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.errors import InternalError
from riskstream.core.lanes.progress import Progress
from riskstream.core.records import Partition, Ticket

LANE = Partition("news", 3)


def lane(*offsets: int | None) -> tuple[Progress[str], list[Ticket]]:
    progress: Progress[str] = Progress(LANE, epoch=1)
    return progress, [progress.admit(offset) for offset in offsets]


@given(st.permutations(range(12)), st.integers(1, 5))
def test_whatever_the_order_of_answers_the_records_leave_in_theirs(order: list[int], records_max: int) -> None:
    progress, tickets = lane(*range(100, 112))
    left: list[tuple[int | None, str]] = []
    for answered, index in enumerate(order, 1):
        progress.fill(tickets[index], f"r{index}")
        while taken := progress.take(records_max):
            assert len(taken) <= records_max
            left += taken
            assert progress.ready == 0 or len(taken) == records_max
        holes = set(range(12)) - set(order[:answered])
        assert len(left) == min(holes, default=12)
    assert left == [(100 + i, f"r{i}") for i in range(12)]
    assert progress.in_flight == 0


def test_nothing_passes_a_hole() -> None:
    progress, tickets = lane(7, 8)
    progress.fill(tickets[1], "second")
    assert not progress.ready
    assert progress.take(10) == []
    assert progress.in_flight == 2


def test_results_that_no_record_made_keep_their_place() -> None:
    progress, tickets = lane(7, None, 8)
    for ticket, result in zip(tickets, ("seven", "tick", "eight"), strict=True):
        progress.fill(ticket, result)
    assert progress.take(10) == [(7, "seven"), (None, "tick"), (8, "eight")]


def test_a_take_has_a_limit_of_bytes_but_always_gives_one() -> None:
    progress, tickets = lane(1, 2, 3)
    for ticket, result in zip(tickets, ("xxxx", "xx", "xx"), strict=True):
        progress.fill(ticket, result)
    assert [len(progress.take(9, size=len, bytes_max=3)) for _ in range(4)] == [1, 1, 1, 0]


def test_an_answer_to_another_epoch_is_dropped() -> None:
    progress, _ = lane(7)
    assert progress.fill(Ticket(LANE, 0, 0), "from before") is False
    assert not progress.ready


@pytest.mark.parametrize(
    "ticket",
    [Ticket(LANE, 1, 1), Ticket(Partition("news", 4), 1, 0), Ticket(LANE, 1, -1)],
    ids=["never admitted", "another lane", "before the first"],
)
def test_an_answer_without_a_slot_is_a_bug(ticket: Ticket) -> None:
    progress, _ = lane(7)
    with pytest.raises(InternalError):
        progress.fill(ticket, "?")


def test_answering_twice_is_a_bug() -> None:
    progress, (ticket,) = lane(7)
    progress.fill(ticket, "once")
    with pytest.raises(InternalError):
        progress.fill(ticket, "twice")


def test_offsets_rise_even_after_the_lane_has_emptied() -> None:
    progress, (ticket,) = lane(7)
    progress.fill(ticket, "seven")
    progress.take(1)
    with pytest.raises(InternalError):
        progress.admit(7)
