"""Times as people write them and as the core counts them, and the arrivals of a replay.

Inside, a time is an int: milliseconds since 1970-01-01 UTC. Outside it is ISO 8601 text with milliseconds and a Z.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
EARLIEST_MS = 0
LATEST_MS = 4_102_444_800_000
"""2100-01-01: a time of publication at or beyond it is a mistake of the feed, not a date."""

TICK_MS = 1_000
LOOK_AHEAD_LINES = 8
LAST_LINE_MS_MAX = 3_600_000


def parse_ms(text: str) -> int:
    """Milliseconds of an ISO 8601 time; one without an offset is UTC. Raises ValueError where it is no time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MS


def format_ms(ms: int) -> str:
    """The ISO 8601 text of a time, always 24 characters: `2026-03-09T00:05:12.000Z`."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=1_024)
def _second(seconds: int) -> str:
    """Of a thousand records a second, most share theirs."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def arrivals(published_ms: Iterable[int | None]) -> Iterator[int]:
    """The arrival times that a replay makes for lines published at these times; they never go back.

    a(i) = max(a(i-1), min(p(i), the smallest p in the next 8 lines that is ≥ a(i-1))), so that one line from the
    future does not drag the clock along; the last line lies at most an hour after the one before it. A line without a
    readable time (None) arrives with the one before it.
    """
    source = iter(published_ms)
    ahead: deque[int | None] = deque()
    clock: int | None = None
    while True:
        ahead.extend(islice(source, LOOK_AHEAD_LINES + 1 - len(ahead)))
        if not ahead:
            return
        mine = ahead.popleft()
        known = [p for p in ahead if p is not None]
        if mine is None:
            yield clock if clock is not None else min(known, default=EARLIEST_MS)
            continue
        if clock is None:
            clock = min((mine, *known))
        arrival = min((mine, *(p for p in known if p >= clock)))
        if not known:
            arrival = min(arrival, clock + LAST_LINE_MS_MAX)
        clock = max(clock, arrival)
        yield clock
