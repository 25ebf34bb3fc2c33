"""When talk is settled as false: as a table, and through the engine."""

from __future__ import annotations

from typing import Any

import pytest

from riskstream.core.records import Alert, Signal
from riskstream.core.rules.denial import Heard, is_settled
from tests.core.signals import engine, make_signal

LEVELS = {"0": "none", "1": "watch", "2": "material", "3": "severe"}
KINDS = {"p": "social", "n": "news", "f": "filing"}
STANCES = {"r": "report", "u": "unconfirmed", "d": "denial", "s": "settled"}


def heard(spec: str, place: int) -> Heard:
    """`n0s` is news without harm that settles; a voice may follow: `n0s-reuters`; `=` before it: a copy."""
    spec, _, voice = spec.partition("-")
    first, spec = not spec.startswith("="), spec.removeprefix("=")
    kind, level, stance = KINDS[spec[0]], LEVELS[spec[1]], STANCES[spec[2]]
    signal = make_signal(kind=kind, stance=stance, severity={level: 1.0}, weight=0.5 if kind == "social" else 1.0)
    return Heard(signal, voice or f"v{place}", first)


@pytest.mark.parametrize(
    ("texts", "settled"),
    [
        ("p2u n0s", True),  # an audit answers a post
        ("p2u n0d", False),  # one paper that tells of a denial is not enough
        ("p2u n0d n0d", True),  # two are
        ("p2u n0d-x n0d-x", False),  # unless they are one voice
        ("p2u n0d-x =n0d-y", False),  # or a copy
        ("p2u n1d n1d n1d", False),  # a denial that is a sign of trouble settles nothing, however often
        ("p2u n2s", False),  # an auditor who finds no cash is bad news
        ("p2u p0s p0s", False),  # posts alone do not settle
        ("p2u p0s n0d", True),  # who began it takes it back, and a paper tells of it
        ("p2u n2u n0s", True),  # a paper that repeats the talk has not reported it as a fact
        ("n2r n0s", True),  # one paper reported it, one clears it
        ("n2r n2r n0s", False),  # two reported it
        ("n2r n2r n0s n0s", True),
        ("f2r n0s", False),  # a filing counts twice
        ("f2r f0s n0s", True),
        ("p2u n0s n2r", False),  # what comes after it counts against it
        ("p2u n0d n2r n0d", False),  # a denial before the report does not count
        ("p2u n0r n0r", False),  # harmless news of another matter is no denial
        ("n0s", True),
        ("", False),
    ],
)
def test_what_settles(texts: str, settled: bool) -> None:
    assert is_settled([heard(spec, place) for place, spec in enumerate(texts.split())]) is settled


RULE = """
[[rule]]
name = "shock"
field = "severity"
aggregate = "max"
window_s = 3600
limits = { watch = 0.7, material = 1.5, severe = 2.4 }
unconfirmed_max = "material"
sources_min = { watch = 2 }
sources_raise = { material = 3 }
cooldown_s = 10
denied_hold_s = 600
"""


class Desk:
    """An engine to which texts are told, one a call."""

    def __init__(self, rule: str = RULE) -> None:
        self.watch, self.count = engine(rule), 0

    def told(self, at_s: float, spec: str, **fields: Any) -> list[str]:
        self.count += 1
        return [short(alert) for alert in self.watch.on_signal(self.signal(at_s, spec, **fields), self.ms(at_s)).alerts]

    def signal(self, at_s: float, spec: str, **fields: Any) -> Signal:
        kind, level, stance = spec
        plain: dict[str, Any] = {
            "kind": KINDS[kind],
            "severity": {LEVELS[level]: 1.0},
            "stance": STANCES[stance],
            "source": f"{KINDS[kind]}-{self.count}",
            "weight": 0.5 if kind == "p" else 1.0,
        }
        return make_signal(f"d{self.count}", at_s=at_s, **(plain | fields))

    def ms(self, at_s: float) -> int:
        from tests.core.signals import START_MS

        return START_MS + round(at_s * 1000)

    def until(self, at_s: float) -> list[str]:
        return [short(alert) for alert in self.watch.on_time(self.ms(at_s))]


def short(alert: Alert) -> str:
    return f"{alert.reason} {alert.severity} {alert.confirmation}"


def test_talk_is_marked_raised_by_a_report_and_capped_without_one() -> None:
    desk = Desk()
    assert desk.told(1, "p3u") == ["fired material unconfirmed"], "severe words, talk alone"
    assert desk.told(2, "n3u") == ["evidence material unconfirmed"], "a paper repeats the talk"
    assert desk.told(3, "n3r") == ["raised severe reported"]
    assert desk.told(4, "f3r") == ["evidence severe official"]


def test_three_voices_of_mild_trouble_raise_it_and_copies_do_not() -> None:
    desk = Desk()
    assert desk.told(1, "p1u") == []
    assert desk.told(2, "p1u") == ["fired watch unconfirmed"]
    assert desk.told(3, "p1u", text="text of d2") == [], "passed on"
    assert desk.told(4, "n1d") == ["evidence watch unconfirmed"], "another story, but who denies is no source of it"
    assert desk.told(5, "p1u") == ["raised material unconfirmed"]


def test_a_settled_denial_ends_the_alert_and_what_looks_back_does_not_open_it_again() -> None:
    desk = Desk()
    desk.told(1, "p2u")
    desk.told(2, "n2u")
    assert desk.told(10, "n1d") == ["evidence material unconfirmed"], "the bare denial ends nothing"
    assert desk.told(20, "n0s", title="Audit finds nothing") == ["denied material unconfirmed"]
    assert desk.until(60) == [], "nothing is left of the talk when the cooldown is over"
    assert desk.told(100, "p3u") + desk.told(101, "p3r") + desk.told(102, "n2u") == [], "posts, and looking back"
    assert desk.told(200, "n3r") == [], "one paper that looks back sounds like the talk"
    assert desk.told(201, "n3r") == ["fired severe reported"], "two tell something new as a fact"


def test_a_filing_overturns_a_denial_by_itself() -> None:
    desk = Desk()
    desk.told(1, "p2u")
    assert desk.told(20, "n0s") == ["denied material unconfirmed"]
    assert desk.told(200, "f2r") == ["fired material official"]


def test_the_record_of_a_denial_shows_the_denial_first() -> None:
    desk = Desk()
    desk.told(1, "p2u", title="Acme hacked!")
    desk.count += 1
    (alert,) = desk.watch.on_signal(desk.signal(20, "n0s", title="Audit finds nothing"), desk.ms(20)).alerts
    assert [evidence.title for evidence in alert.evidence] == ["Audit finds nothing", "Acme hacked!"]
    assert alert.why == "settled as false by “Audit finds nothing” (news-2)"
    assert alert.state == "resolved" and alert.ends_at == alert.updated_at


def test_after_the_hold_posts_count_again() -> None:
    desk = Desk()
    desk.told(1, "p2u")
    assert desk.told(20, "n0s") == ["denied material unconfirmed"]
    assert desk.told(619, "p2u") == []
    assert desk.told(620, "p2u") == ["fired material unconfirmed"]


def test_a_rule_may_ignore_denials() -> None:
    desk = Desk(RULE.replace("denied_hold_s = 600", "denied_hold_s = 0"))
    desk.told(1, "p2u")
    assert desk.told(20, "n0s") == []


def test_without_an_open_alert_nothing_is_settled() -> None:
    desk = Desk()
    assert desk.told(1, "n0s") == []
    assert desk.told(2, "p2u") == ["fired material unconfirmed"]
