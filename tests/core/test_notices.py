"""What an Alertmanager is told and when, as tables over a clock of seconds."""

from __future__ import annotations

import msgspec
import pytest

from riskstream.core.asking.notices import ENDS_AFTER, RESOLVED_MS, WATCHDOG, Labels, Notice, Notices, labels_of
from riskstream.core.clock import format_ms
from tests.report.alerts import MINUTE_MS, START_MS, life

RESEND_MS = 60_000


def told(notices: Notices, now_ms: int) -> list[Notice]:
    """Take what is due, and say that it was sent; without the watchdog."""
    due = notices.take(now_ms)
    notices.sent([labels for labels, _ in due], now_ms)
    return [notice for labels, notice in due if labels]


def said(letters: str, until_minute: int) -> str:
    """One alert's life told minute by minute: per minute the severities told, small while firing, large once ended."""
    records = {record.updated_at: record for record in life(letters)}
    notices, minutes = Notices(RESEND_MS), []
    for minute in range(until_minute):
        now_ms = START_MS + minute * MINUTE_MS
        if record := records.get(format_ms(now_ms)):
            notices.put(record, now_ms)
        letters_of = {"info": "w", "warning": "m", "critical": "s"}
        marks = []
        for notice in told(notices, now_ms):
            letter = letters_of[notice.labels["severity"]]
            marks.append(letter if notice.ends_at > format_ms(now_ms) else letter.upper())
        minutes.append("".join(sorted(marks)) or ".")
    return " ".join(minutes)


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("..", ". . . ."),
        ("w", "w w w w"),  # told every minute while it fires
        ("w.r", "w w W W"),  # and that it ended
        ("w.s.r", "w w Ws Ws SW SW"),  # another severity is another alert: the old one ends
        ("r", "W W"),
    ],
)
def test_an_alert_is_told_until_it_is_over_and_a_while_after(letters: str, expected: str) -> None:
    if letters == "r":
        notices = Notices(RESEND_MS)
        (_, ended) = life("wr")
        notices.put(ended, START_MS + RESOLVED_MS + 2 * MINUTE_MS)
        assert told(notices, START_MS + RESOLVED_MS + 2 * MINUTE_MS) == []  # what ended long ago is old news
        return
    assert said(letters, len(expected.split())) == expected


def test_what_ended_is_told_for_a_quarter_of_an_hour() -> None:
    minutes = said("wr", 18).split()
    assert minutes[1:16] == ["W"] * 15
    assert minutes[16:] == [".", "."]


def test_an_end_that_nobody_renews_comes_by_itself() -> None:
    notices = Notices(RESEND_MS)
    notices.put(life("m")[0], START_MS)
    (notice,) = told(notices, START_MS)
    assert notice.ends_at == format_ms(START_MS + ENDS_AFTER * RESEND_MS)


def test_what_was_not_sent_is_due_at_the_next_look() -> None:
    notices = Notices(RESEND_MS)
    notices.put(life("m")[0], START_MS)
    assert len(notices.take(START_MS)) == len(notices.take(START_MS + 1)) == 2


def test_the_watchdog_always_fires() -> None:
    notices = Notices(RESEND_MS)
    for now_ms in (START_MS, START_MS + RESEND_MS):
        (labels, watchdog), *_ = notices.take(now_ms)
        assert (labels, watchdog.labels["alertname"]) == ((), WATCHDOG)
        assert watchdog.ends_at > format_ms(now_ms)
        notices.sent([labels], now_ms)
    assert notices.take(START_MS + RESEND_MS + 1) == []


def test_a_tombstone_ends_what_still_fires() -> None:
    notices = Notices(RESEND_MS)
    notices.put(life("m")[0], START_MS)
    told(notices, START_MS)
    notices.forget("shock-ACME-0", START_MS + 1)
    (notice,) = told(notices, START_MS + 1)
    assert notice.ends_at == format_ms(START_MS + 1)


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        ({"desk": "credit"}, {"desk": "credit"}),
        ({"a-b.c": "1", "empty": ""}, {"a_b_c": "1"}),
        ({"severity": "none", "alertname": "x", "subject": "y"}, {}),
    ],
)
def test_a_rules_labels_are_plain_names_and_never_ours(labels: dict[str, str], kept: dict[str, str]) -> None:
    alert = msgspec.structs.replace(life("s")[0], labels=labels)
    ours = {"alertname": "shock", "by": "entity", "service": "riskstream", "severity": "critical", "subject": "ACME"}
    found: Labels = labels_of(alert)
    assert dict(found) == ours | kept
