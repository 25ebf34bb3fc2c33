"""What `publish` sends, and when."""

from __future__ import annotations

import json

import pytest

from riskstream.core.clock import parse_ms
from riskstream.service.commands.publish import plan, read_lines

NOW = parse_ms("2026-06-01T00:00:00Z")
FILE = [
    b'{"id": "1", "published_at": "2015-01-01T00:00:00Z"}\n',
    b"\n",
    b'{"id": "2", "published_at": "2015-01-01T00:00:10Z"}\n',
    b"{broken\n",
    b'{"id": "3", "published_at": 1420070430000}\r\n',
]


def sent(*, shift: bool, speed: float | None) -> list[tuple[float, object]]:
    lines = list(read_lines(FILE))
    newest = max(line.arrival_ms for line in lines) if shift else None
    result: list[tuple[float, object]] = []
    for send in plan(lines, NOW, newest_ms=newest, speed=speed):
        if send.value.startswith(b"{broken"):
            result.append((send.wait_ms / 1000, "broken"))
            continue
        moment = json.loads(send.value)["published_at"]
        moment_ms = parse_ms(moment) if isinstance(moment, str) else moment
        result.append((send.wait_ms / 1000, (moment_ms - NOW) / 1000))
    return result


def test_without_options_the_lines_go_out_as_they_are() -> None:
    lines = list(read_lines(FILE))
    assert [send.value for send in plan(lines, NOW, newest_ms=None, speed=None)] == [
        line.rstrip() for line in FILE if line.strip()
    ]


def test_shifted_to_now_the_newest_is_now_and_the_others_keep_their_distance() -> None:
    assert sent(shift=True, speed=None) == [(0, -30), (0, -20), (0, "broken"), (0, 0)]


def test_at_a_speed_the_lines_keep_their_pace() -> None:
    waits = [wait for wait, _ in sent(shift=False, speed=10)]
    assert waits == [0, 1, 1, 3], "a line without a time goes with its neighbour"


def test_at_a_speed_and_shifted_each_line_is_dated_when_it_is_sent() -> None:
    assert sent(shift=True, speed=10) == [(0, 0), (1, 1), (1, "broken"), (3, 3)]


@pytest.mark.parametrize("line", [b"[]", b"null", b'{"published_at": true}', b'{"published_at": "soon"}', b'{"a":1}'])
def test_a_line_without_a_readable_time_is_kept_as_it_is(line: bytes) -> None:
    assert next(iter(read_lines([line]))).published_ms is None
    assert next(plan(read_lines([line]), NOW, newest_ms=NOW, speed=None)).value == line


def test_an_empty_file_sends_nothing() -> None:
    assert list(plan(iter(()), NOW, newest_ms=None, speed=2.0)) == []
