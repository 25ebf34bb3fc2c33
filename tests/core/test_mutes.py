"""Silences, quiet hours, inhibition: what is withheld, until when, and what is told then."""

import pytest

from riskstream.core.clock import parse_ms
from riskstream.core.records import Alert
from riskstream.core.rules.mutes import QuietHours, Which
from riskstream.core.watching.watch import Watch
from tests.core.signals import START_MS, engine, make_signal, replaced, rules

RULE = """
[[rule]]
name = "shock"
field = "risk_score"
aggregate = "max"
window_s = 60
limits = { watch = 0.3, severe = 0.9 }
lower_after_s = 10
labels = { desk = "credit" }
owner = "anna"
"""
SILENCE = '[[silence]]\nmatch = { %s }\nfrom = 2026-03-09T00:00:10Z\nuntil = 2026-03-09T00:00:40Z\ncomment = "known"\n'
SILENT = SILENCE % 'rules = ["shock"]'


def say(watch: Watch, document: str, score: float, at_s: float, **fields: object) -> tuple[Alert, ...]:
    signal = make_signal(document, at_s=at_s, risk_score=score, **fields)
    return watch.on_signal(signal, START_MS + round(at_s * 1000)).alerts


def until(watch: Watch, at_s: float) -> tuple[Alert, ...]:
    return watch.on_time(START_MS + round(at_s * 1000))


def told(alerts: tuple[Alert, ...]) -> list[str]:
    return [
        f"{alert.updated_at[15:19]} {alert.rule} {alert.reason} {alert.severity} {alert.sequence}" for alert in alerts
    ]


def test_what_fires_in_a_silence_is_told_when_it_ends_as_it_stands_then() -> None:
    watch = engine(RULE + SILENT)
    assert say(watch, "d1", 0.5, 20) == ()
    assert say(watch, "d2", 0.95, 30) == ()
    assert watch.open_alerts() == ()
    (alert,) = until(watch, 60)
    assert told((alert,)) == ["0:40 shock fired severe 1"]
    assert (alert.state, alert.starts_at[17:19], alert.documents) == ("firing", "20", 2)
    assert watch.takers.held() == {("shock", "silenced"): 1}


def test_what_begins_and_ends_in_a_silence_is_never_told() -> None:
    watch = engine(RULE.replace("window_s = 60", "window_s = 10") + SILENT)
    assert (say(watch, "d1", 0.5, 15), until(watch, 300)) == ((), ())


def test_a_told_alert_tells_its_end_and_nothing_else_while_it_is_silenced() -> None:
    watch = engine(RULE.replace("window_s = 60", "window_s = 25") + SILENT)
    assert told(say(watch, "d1", 0.5, 5)) == ["0:05 shock fired watch 1"]
    assert say(watch, "d2", 0.95, 12, source="blog") == ()
    assert told(until(watch, 300)) == ["0:37 shock expired severe 2"]


def test_a_change_that_was_withheld_is_told_when_the_silence_ends() -> None:
    watch = engine(RULE + SILENT)
    say(watch, "d1", 0.5, 5)
    say(watch, "d2", 0.95, 12, source="blog")
    assert told(until(watch, 45)) == ["0:40 shock raised severe 2"]


@pytest.mark.parametrize(
    ("match", "silenced"),
    [
        ('subjects = ["ACME"]', True),
        ('subjects = ["B"]', False),
        ('severities = ["watch"]', True),
        ('severities = ["severe"]', False),
        ('shapes = ["threshold"]', True),
        ('shapes = ["spike"]', False),
        ('labels = { desk = "credit" }', True),
        ('labels = { desk = "risk" }', False),
        ('labels = { owner = "anna" }', True),
        ('rules = ["shock"], subjects = ["B"]', False),
    ],
)
def test_which_alerts_a_silence_concerns(match: str, silenced: bool) -> None:
    assert (say(engine(RULE + SILENCE % match), "d1", 0.5, 20) == ()) is silenced


def test_a_silence_for_watch_level_lets_the_worse_one_through() -> None:
    watch = engine(RULE + SILENCE % 'severities = ["watch"]')
    assert say(watch, "d1", 0.5, 20) == ()
    assert told(say(watch, "d2", 0.95, 25)) == ["0:25 shock fired severe 1"]


def test_a_silence_that_is_taken_away_ends_at_once() -> None:
    long = RULE.replace("window_s = 60", "window_s = 600") + SILENT.replace("00:00:40Z", "02:00:00Z")
    watch = engine(long)
    say(watch, "d1", 0.5, 20)
    heard = replaced(watch, START_MS + 30_000, by=rules(RULE.replace("window_s = 60", "window_s = 600")))
    assert told(heard) == ["0:30 shock fired watch 1"]


WORSE = RULE.replace('"shock"', '"a-mild"').replace(
    "limits = { watch = 0.3, severe = 0.9 }", 'limit = 0.3\nseverity = "watch"'
)
BOTH = (
    WORSE
    + RULE.replace('"shock"', '"z-bad"').replace("watch = 0.3, severe = 0.9", "severe = 0.9")
    + '[[inhibit]]\nsource = { severities = ["severe"] }\ntarget = { severities = ["watch"] }\n'
)


def test_a_severe_alert_mutes_the_watch_level_one_of_the_same_subject_even_if_both_fire_at_once() -> None:
    watch = engine(BOTH)
    assert told(say(watch, "d1", 0.95, 5)) == ["0:05 z-bad fired severe 1"]
    assert told(say(watch, "d2", 0.5, 6, entity="B")) == ["0:06 a-mild fired watch 1"], "another subject"
    assert watch.takers.held() == {("a-mild", "inhibited"): 1}


def test_what_still_stands_when_the_worse_one_ends_is_told_then() -> None:
    watch = engine(BOTH)
    say(watch, "d1", 0.95, 5)
    assert say(watch, "d2", 0.5, 40) == ()
    assert told(until(watch, 90)) == ["1:05 a-mild fired watch 1", "1:05 z-bad cleared severe 2"]


def test_a_silenced_alert_mutes_others_all_the_same() -> None:
    watch = engine(BOTH + SILENCE % 'severities = ["severe"]')
    assert say(watch, "d1", 0.95, 20) == ()
    assert watch.takers.held() == {("a-mild", "inhibited"): 1, ("z-bad", "silenced"): 1}


LONDON = QuietHours(Which(), "Europe/London", 22 * 60, 7 * 60)
FRIDAY = QuietHours(Which(), "Asia/Shanghai", 22 * 60, 7 * 60, (4,))
NOON = QuietHours(Which(), "UTC", 12 * 60, 13 * 60)
HOURS = [
    (LONDON, "2026-03-09T21:59:59Z", None, "an hour and a half to midnight is still day"),
    (LONDON, "2026-03-09T22:00:00Z", "2026-03-10T07:00:00Z", "winter time is UTC"),
    (LONDON, "2026-03-10T06:59:59Z", "2026-03-10T07:00:00Z", "through midnight"),
    (LONDON, "2026-03-10T07:00:00Z", None, "the end is day"),
    (LONDON, "2026-03-28T23:00:00Z", "2026-03-29T06:00:00Z", "the night in which the clocks go forward"),
    (LONDON, "2026-07-01T21:00:00Z", "2026-07-02T06:00:00Z", "in summer London is an hour ahead"),
    (FRIDAY, "2026-03-13T14:00:00Z", "2026-03-13T23:00:00Z", "Friday night in Shanghai"),
    (FRIDAY, "2026-03-12T14:00:00Z", None, "Thursday night is not Friday"),
    (FRIDAY, "2026-03-13T22:59:59Z", "2026-03-13T23:00:00Z", "it is Saturday there, and still Friday's night"),
    (NOON, "2026-03-09T12:30:00Z", "2026-03-09T13:00:00Z", "within a day"),
    (NOON, "2026-03-09T13:00:00Z", None, "over"),
]


@pytest.mark.parametrize(("hours", "now", "ends", "says"), HOURS, ids=[case[3] for case in HOURS])
def test_quiet_hours(hours: QuietHours, now: str, ends: str | None, says: str) -> None:
    assert hours.ends_ms(parse_ms(now)) == (None if ends is None else parse_ms(ends)), says


def test_what_fires_in_quiet_hours_is_told_in_the_morning() -> None:
    hours = '[[quiet_hours]]\nmatch = { severities = ["watch"] }\nfrom = "23:00"\nto = "00:01"\nzone = "UTC"\n'
    watch = engine(RULE + hours)
    assert say(watch, "d1", 0.5, 20) == ()
    assert told(until(watch, 70)) == ["1:00 shock fired watch 1"]
    assert watch.takers.held() == {("shock", "quiet_hours"): 1}
