"""What should move and stands still is told once it has stood for the limit, and not before."""

from __future__ import annotations

import pytest

from riskstream.core.lanes.stillness import Stillness


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        ("1111", "...!"),  # a look a second, the limit is three
        ("1112222", "......!"),  # it moved
        ("1122334455", ".........."),
        ("11-1111", "......!"),  # nothing was due for a moment: the time begins anew
        ("-------", "......."),
        ("11111", "...!!"),
    ],
)
def test_stillness(marks: str, told: str) -> None:
    one = Stillness(3_000)
    seen = [
        one.see(int(mark.replace("-", "1")), due=mark != "-", now_ms=second * 1_000)
        for second, mark in enumerate(marks)
    ]
    assert "".join(".!"[still] for still in seen) == told
