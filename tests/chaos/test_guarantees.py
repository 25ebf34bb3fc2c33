"""A promise without what shows it is not made. That the named tests exist, tests/test_pages.py sees to."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "GUARANTEES.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
WITHOUT = ("make chaos", "the same")


def promises() -> list[tuple[str, str]]:
    """The rows of the page's tables: what holds, and what shows it."""
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [(what.strip(), by.strip()) for what, by in rows if what.strip() not in ("promise", "---")]


def test_every_promise_names_what_shows_it() -> None:
    assert len(promises()) >= 15
    for what, by in promises():
        assert NAMED.search(by) or any(word in by for word in WITHOUT), what
