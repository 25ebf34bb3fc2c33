"""When the results of a lane leave. Times are in seconds; the wait is 0.1, and three results are enough."""

from __future__ import annotations

import pytest

from riskstream.core.lanes.company import URGENT_S, Company

CASES = [
    pytest.param([(1.0, 1, False)], 1.1, id="one waits for company"),
    pytest.param([(1.0, 1, False), (1.05, 2, False)], 1.1, id="another does not make it wait longer"),
    pytest.param([(1.0, 1, False), (1.05, 3, False)], 1.05, id="enough are due at once"),
    pytest.param([(1.0, 1, True)], 1.0 + URGENT_S, id="an urgent one waits a moment"),
    pytest.param([(1.0, 1, False), (1.05, 2, True)], 1.05 + URGENT_S, id="an urgent one takes the others with it"),
    pytest.param([(1.0, 1, False), (1.09, 2, True)], 1.1, id="an urgent one makes nothing wait longer"),
]


@pytest.mark.parametrize(("came", "due_s"), CASES)
def test_what_is_ready_is_due(came: list[tuple[float, int, bool]], due_s: float) -> None:
    company = Company(0.1, 3)
    for now_s, ready, urgent in came:
        company.came(ready, now_s, urgent=urgent)
    assert company.due_s == pytest.approx(due_s)


def test_who_waits_is_told_only_where_something_is_due_sooner() -> None:
    company = Company(0.1, 3)
    told = [company.came(1, 1.0), company.came(1, 1.01), company.came(2, 1.02, urgent=True), company.came(2, 1.03)]
    assert told == [True, False, True, False]


def test_the_wait_counts_from_the_first_result_and_not_from_the_last_transaction() -> None:
    company = Company(0.1, 3)
    company.came(1, 1.0)
    company.left(0, 1.1)
    assert company.due_s is None, "nothing is ready, nothing is due"
    company.came(1, 1.12)  # while the transaction is on its way; it returns at 1.3
    assert company.due_s == pytest.approx(1.22), "due before the last one has come back: it goes at once"


def test_what_found_no_room_is_due_at_once() -> None:
    company = Company(0.1, 3)
    company.came(3, 1.0)
    company.left(2, 1.0)
    assert company.due_s == 1.0
    assert not company.came(3, 1.05), "it is due already"


def test_where_the_wait_is_shorter_than_an_urgent_one_it_stays() -> None:
    company = Company(URGENT_S / 2, 3)
    company.came(1, 0.0, urgent=True)
    assert company.due_s == URGENT_S / 2
