"""Who may ask the HTTP API, and how often."""

from __future__ import annotations

import pytest

from riskstream.core.asking.allowance import take, whole
from riskstream.core.asking.callers import CALLERS_MAX, parse_callers
from riskstream.core.errors import OperatorError


@pytest.mark.parametrize(
    ("text", "token", "who"),
    [
        ("s3cret", "s3cret", "line 1"),
        ("s3cret\n", "s3cre", None),
        ("s3cret", "", None),
        ("desk:one\nrobot: two \n\nthree", "two", "robot"),
        ("desk:one\nrobot:two\n\nthree", "three", "line 4"),
        ("desk:one", "desk:one", None),
        ("a:b:c", "b:c", "a"),
        ("a!b:x", "a!b:x", "line 1"),
        ("desk:one", "\udcff", None),
    ],
)
def test_a_token_is_its_callers(text: str, token: str, who: str | None) -> None:
    assert parse_callers(text).who(token) == who


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (" \n", "is empty"),
        ("a:hidden1\na:hidden2", "'line 2': the name 'a' stands twice"),
        ("a:hidden1\nb:hidden1", "'line 2': the token stands twice"),
        ("hidden1 hidden2", "'line 1': is no token"),
        ("hidden\u00fc", "'line 1': is no token"),
        ("\n".join(f"hidden{number}" for number in range(CALLERS_MAX + 1)), "has 1001 tokens"),
    ],
)
def test_a_wrong_file_is_told_without_its_tokens(text: str, told: str) -> None:
    with pytest.raises(OperatorError, match=r"http\.token_file") as error:
        parse_callers(text)
    assert told in str(error.value)
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize(
    ("per_s", "asked_at_s", "waits_s"),
    [
        (2.0, [0, 0, 0], [0, 0, 0.5]),
        (2.0, [0, 0, 0.25, 0.5], [0, 0, 0.25, 0]),
        (2.0, [0, 0, 100, 100, 100], [0, 0, 0, 0, 0.5]),
        (0.5, [0, 0, 1, 2], [0, 2, 1, 0]),
        (1.0, [5, 4, 5.5, 6], [0, 1, 0.5, 0]),
    ],
    ids=["a second's worth", "asking in vain costs nothing", "no more is saved", "slow", "a clock that goes back"],
)
def test_an_allowance(per_s: float, asked_at_s: list[float], waits_s: list[float]) -> None:
    allowance, told = whole(per_s, asked_at_s[0]), []
    for now_s in asked_at_s:
        allowance, wait_s = take(allowance, per_s, now_s)
        told.append(wait_s)
    assert told == waits_s
