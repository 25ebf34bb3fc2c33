"""Times as text and as numbers, the tick grid, and the arrivals that a replay makes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.clock import (
    EARLIEST_MS,
    LAST_LINE_MS_MAX,
    LATEST_MS,
    LOOK_AHEAD_LINES,
    arrivals,
    format_ms,
    parse_ms,
)

NOON = 1_773_057_600_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-03-09T12:00:00Z", NOON),
        ("2026-03-09T12:00:00", NOON),
        ("2026-03-09 12:00:00.007", NOON + 7),
        ("2026-03-09T12:00:00.0079999Z", NOON + 7),
        ("2026-03-09T20:00:00+08:00", NOON),
        ("2026-03-09", NOON - 12 * 3_600_000),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_parse(text: str, ms: int) -> None:
    assert parse_ms(text) == ms


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-03-09T25:00:00Z", "12:00", "10000-01-01T00:00:00Z"])
def test_what_is_no_time_raises(text: str) -> None:
    with pytest.raises(ValueError):
        parse_ms(text)


@given(st.integers(EARLIEST_MS, LATEST_MS - 1))
def test_a_time_is_read_back_and_always_as_long(ms: int) -> None:
    text = format_ms(ms)
    assert parse_ms(text) == ms
    assert len(text) == 24
    assert text.endswith("Z")


@given(st.integers(EARLIEST_MS, LATEST_MS - 1), st.integers(EARLIEST_MS, LATEST_MS - 1))
def test_later_times_sort_later_as_text(one: int, other: int) -> None:
    assert (format_ms(one) < format_ms(other)) == (one < other)


HOUR = 3_600_000


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ([], []),
        ([5], [5]),
        ([1, 2, 3], [1, 2, 3]),
        ([3, 1, 2, 4], [1, 1, 2, 4]),  # a late line does not move the clock back
        ([1, 900, 2, 3], [1, 2, 2, 3]),  # a line from the future does not drag it along
        ([1, 900], [1, 900]),
        ([1, 9 * HOUR], [1, HOUR + 1]),  # at the end there is nothing to judge it by: an hour at most
        ([1, 2, 1], [1, 1, 1]),  # the third line says that it is still 1
    ],
)
def test_arrivals(published: list[int], expected: list[int]) -> None:
    assert list(arrivals(published)) == expected


TIMES = st.lists(st.integers(0, 50) | st.integers(0, 10**9), max_size=40)


@given(TIMES)
def test_arrivals_never_go_back_and_follow_the_formula(published: list[int]) -> None:
    made = list(arrivals(published))
    assert len(made) == len(published)
    assert all(one <= other for one, other in itertools.pairwise(made))
    clock = min(published[: LOOK_AHEAD_LINES + 1], default=0)
    for index, mine in enumerate(published):
        following = published[index + 1 : index + 1 + LOOK_AHEAD_LINES]
        best = min([mine, *(one for one in following if one >= clock)])
        if not following:
            best = min(best, clock + LAST_LINE_MS_MAX)
        clock = max(clock, best)
        assert made[index] == clock


def test_arrivals_read_no_further_than_they_look_ahead() -> None:
    source = iter(range(1_000))
    assert next(arrivals(source)) == 0
    assert next(source) == LOOK_AHEAD_LINES + 1


@pytest.mark.parametrize(
    ("published", "arrived"),
    [
        pytest.param([10, None, 20], [10, 10, 20], id="with the line before it"),
        pytest.param([None, 10, 20], [10, 10, 20], id="with the first that has a time"),
        pytest.param([10, 20, None, None], [10, 20, 20, 20], id="at the end"),
        pytest.param([None, None], [0, 0], id="nobody has one"),
    ],
)
def test_a_line_without_a_time_arrives_with_its_neighbour(published: list[int | None], arrived: list[int]) -> None:
    assert list(arrivals(published)) == arrived
