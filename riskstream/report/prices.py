"""Prices beside alerts: did an alert come before, during or after the days on which the price fell most?

        previous close        close
    ─────────┬──────────────────┬─────────►
     before  │      during      │  after        `NEAR_DAYS` on either side

Rule 1. Daily prices do not say when in a day a price fell, so an alert within the day counts as *during*, not as first.
Rule 2. The base rate is the same count over every trading day: alerts that come at random reach it too.
Rule 3. A fall is the change of the close against the close before, in per cent, of days on which there were signals.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from riskstream.core.clock import parse_ms
from riskstream.core.errors import OperatorError
from riskstream.report.episodes import Episode

DAY_MS = 86_400_000
CLOSE_MS = 21 * 3_600_000
"""A day's close at 21:00 UTC: 16:00 in New York in winter. An hour off in summer, which a day forgives."""
NEAR_DAYS = 3

When = Literal["before", "during", "after", "none"]


class Day(msgspec.Struct, frozen=True):
    """One trading day of one ticker: its close in ms, its price, and the change since the close before in per cent."""

    date: str
    close_ms: int
    price: float
    change: float
    opens_ms: int


class Fall(msgspec.Struct, frozen=True):
    """A day, and the alert nearest to it. `hours` from the alert's opening to the day's close; None where none is."""

    ticker: str
    day: Day
    when: When
    hours: float | None


class Lead(msgspec.Struct, frozen=True):
    """The largest falls of a ticker, and the share of all its days that have an alert before or during them."""

    ticker: str
    falls: tuple[Fall, ...]
    days: int
    days_told: int


def read_prices(lines: Iterable[str], origin: str) -> dict[str, tuple[Day, ...]]:
    """Days by ticker, from CSV with `ticker`, `Date` and `Close`. Raises OperatorError for a wrong header or row."""
    rows = csv.DictReader(lines)
    missing = {"ticker", "Date", "Close"} - set(rows.fieldnames or ())
    if missing:
        fix = "give a CSV file with the columns ticker, Date and Close"
        raise OperatorError("--prices", origin, f"lacks the column {min(missing)!r}", fix)
    closes: dict[str, list[tuple[str, int, float]]] = defaultdict(list)
    for number, row in enumerate(rows, 2):
        try:
            closes[row["ticker"]].append((row["Date"], parse_ms(row["Date"]) + CLOSE_MS, float(row["Close"])))
        except (ValueError, TypeError) as error:
            fix = "dates are YYYY-MM-DD, closes are numbers"
            raise OperatorError("--prices", f"{origin}, line {number}", str(error), fix) from None
    return {ticker: _days(sorted(mine)) for ticker, mine in closes.items()}


def _days(closes: Sequence[tuple[str, int, float]]) -> tuple[Day, ...]:
    return tuple(
        Day(date, close_ms, price, round(100 * (price / before - 1), 2) if before else 0.0, opens_ms)
        for (_, opens_ms, before), (date, close_ms, price) in pairwise(closes)
    )


def lead(
    prices: Mapping[str, Sequence[Day]], episodes: Sequence[Episode], from_ms: int, to_ms: int, falls_max: int = 10
) -> tuple[Lead, ...]:
    """For each ticker the largest falls between the two times, with the nearest alert whose subject is that ticker."""
    found = []
    for ticker, days in sorted(prices.items()):
        within = [day for day in days if from_ms <= day.close_ms and day.opens_ms <= to_ms]
        opened = [episode.opened_ms for episode in episodes if episode.last.subject.id == ticker]
        told = [_told(ticker, day, opened) for day in within]
        worst = sorted((fall for fall in told if fall.day.change < 0), key=lambda fall: fall.day.change)[:falls_max]
        days_told = sum(fall.when in ("before", "during") for fall in told)
        if within:
            found.append(Lead(ticker, tuple(worst), len(within), days_told))
    return tuple(found)


def _told(ticker: str, day: Day, opened: Sequence[int]) -> Fall:
    near = [
        ms for ms in opened if day.opens_ms - NEAR_DAYS * DAY_MS <= ms <= day.close_ms + NEAR_DAYS * DAY_MS
    ]  # fmt: skip
    first = min(near, default=None)
    if first is None:
        return Fall(ticker, day, "none", None)
    when: When = "before" if first < day.opens_ms else "during" if first <= day.close_ms else "after"
    return Fall(ticker, day, when, round((day.close_ms - first) / 3_600_000, 1))
