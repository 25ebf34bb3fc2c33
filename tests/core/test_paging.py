"""Alerts in pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.asking.pages import Page, Wanted, cursor, page, read_cursor
from riskstream.core.clock import format_ms
from riskstream.core.records import Alert, AlertState, Mention, Severity, SubjectRef


def alert(
    alert_id: str, at_ms: int = 0, state: AlertState = "firing", by: str = "entity", severity: Severity = "severe"
) -> Alert:
    """A whole alert of which only these fields matter."""
    mention, at = Mention("ACME", "Acme", "Acme", 1.0) if by == "entity" else None, format_ms(at_ms)
    return Alert(
        alert_id, 1, "shock", "sha256:0", SubjectRef(by, "ACME", "Acme"), mention, state, severity, "threshold",
        "fired", 0.9, 0.8, at, at, at if state == "resolved" else None, at, 1, 1, 1, "", {}, (), "finrisk@1",
    )  # fmt: skip


ALERTS = [
    alert("a"),
    alert("b", 1, state="updated", severity="watch"),
    alert("c", 2, state="resolved"),
    alert("d", 3, by="group"),
]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Wanted(), "dba"),
        (Wanted(state="any"), "dcba"),
        (Wanted(state="firing"), "da"),
        (Wanted(state="updated"), "b"),
        (Wanted(state="resolved"), "c"),
        (Wanted(entity="ACME", state="any"), "cba"),
        (Wanted(entity="OTHER"), ""),
        (Wanted(severity="watch"), "b"),
        (Wanted(rule="shock", severity="severe"), "da"),
        (Wanted(rule="other"), ""),
    ],
)
def test_what_is_asked_for(wanted: Wanted, ids: str) -> None:
    found = page(ALERTS, wanted, None)
    assert ("".join(one.alert_id for one in found.alerts), found.total, found.next) == (ids, len(ids), None)


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 7))
def test_pages_tell_every_alert_once_in_order(times_ms: list[int], limit: int) -> None:
    alerts = [alert(f"{number:02}", at_ms) for number, at_ms in enumerate(times_ms)]
    whole = page(alerts, Wanted(limit=1000), None).alerts
    seen: list[Alert] = []
    found = Page((), 0, "")
    while found.next is not None:
        found = page(alerts, Wanted(limit=limit), read_cursor(found.next))
        assert (len(found.alerts) <= limit, found.total) == (True, len(alerts))
        seen += found.alerts
    assert tuple(seen) == whole


@given(st.tuples(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))))
def test_a_cursor_is_read_back(at: tuple[str, str]) -> None:
    assert read_cursor(cursor(at)) == at


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_none(text: str) -> None:
    found = read_cursor(text)
    assert found is None or read_cursor(cursor(found)) == found


@pytest.mark.parametrize("text", ["", "x", "5rOV", "法", "bnVsbA", "WyJhIl0", "=" * 5])
def test_a_cursor_that_is_none_of_ours(text: str) -> None:
    assert read_cursor(text) is None
