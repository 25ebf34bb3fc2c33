"""Episodes, comparison, stories, prices and sweeps: the figures behind a report, as tables."""

from __future__ import annotations

import tomllib

import pytest

from riskstream.core.errors import OperatorError
from riskstream.core.rules.rulefile import parse_rules
from riskstream.report.compare import compare
from riskstream.report.episodes import Episode, episodes
from riskstream.report.prices import CLOSE_MS, DAY_MS, Day, lead, read_prices
from riskstream.report.stories import Story, judge, read_stories
from riskstream.report.sweep import read_sweep, with_value
from tests.report.alerts import MINUTE_MS, START_MS, life

RULES = """
[[rule]]
name = "shock"
field = "risk_score"
aggregate = "max"
window_s = 60
limits = { watch = 0.3, material = 0.6 }
clear = 0.2
"""


def told(letters: str, **about: str) -> Episode:
    """The one episode of a life."""
    (episode,) = episodes(life(letters, **about))
    return episode


def minute(at: int) -> int:
    return START_MS + at * MINUTE_MS


@pytest.mark.parametrize(
    ("letters", "opened", "closed", "highest", "material"),
    [
        ("w", 0, None, "watch", None),
        ("..m..r", 2, 5, "material", 2),
        ("w.ms.w.r", 0, 7, "severe", 2),
        ("s", 0, None, "severe", 0),
    ],
)
def test_records_of_an_id_are_one_episode(
    letters: str, opened: int, closed: int | None, highest: str, material: int | None
) -> None:
    episode = told(letters)
    assert episode.opened_ms == minute(opened)
    assert episode.closed_ms == (None if closed is None else minute(closed))
    assert episode.highest == highest
    assert episode.reached_ms("material") == (None if material is None else minute(material))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["m.r"], ["m.r"], "0 gained, 0 lost, 0 earlier, 0 later, 0 with another highest severity, 1 the same"),
        (["m.r"], [], "0 gained, 1 lost, 0 earlier, 0 later, 0 with another highest severity, 0 the same"),
        ([], ["m.r"], "1 gained, 0 lost, 0 earlier, 0 later, 0 with another highest severity, 0 the same"),
        ([".m..r"], ["m..r"], "0 gained, 0 lost, 1 earlier, 0 later, 0 with another highest severity, 0 the same"),
        (["m..r"], [".s.r"], "0 gained, 0 lost, 0 earlier, 1 later, 1 with another highest severity, 0 the same"),
        (["m.r"], ["....m"], "1 gained, 1 lost, 0 earlier, 0 later, 0 with another highest severity, 0 the same"),
    ],
)
def test_episodes_that_overlap_are_the_same(old: list[str], new: list[str], expected: str) -> None:
    before, after = ([told(letters) for letters in side] for side in (old, new))
    assert compare(before, after).line() == expected


def test_an_episode_is_matched_once() -> None:
    old = episodes([*life("m"), *life(".m")])
    assert compare(old, episodes(life("m"))).line().startswith("0 gained, 1 lost")


STORY = b"""{"stories": [{"story": "a", "title": "A run", "entities": [{"name": "ACME Corp"}], "items": ["d1", "d2"],
 "first_alert": {"id": "d1", "severity": 1}, "escalations": [{"id": "d2", "severity": 3}]}]}"""


@pytest.mark.parametrize(
    ("letters", "in_time"),
    [("w..s", [True, True]), (".w.s", [False, True]), ("w...s", [True, False]), ("s", [True, True]), ("", [False] * 2)],
)
def test_a_story_is_told_in_time_if_its_severity_was_reached_when_its_item_came(
    letters: str, in_time: list[bool]
) -> None:
    found = judge(read_stories(STORY, "s.json"), episodes(life(letters)), {"d1": minute(0), "d2": minute(3)}, {})
    assert [verdict.in_time for verdict in found.verdicts] == in_time
    assert found.caught == int(in_time[0])


@pytest.mark.parametrize(
    ("subject", "shown", "stray"), [("ACME", "s1", False), ("ACME", "s9", True), ("OTHER", "s1", True)]
)
def test_an_episode_without_an_item_or_an_entity_of_a_story_is_a_stray(subject: str, shown: str, stray: bool) -> None:
    mine = episodes(life("w", subject=subject, evidence=(shown,)))
    found = judge(read_stories(STORY, "s.json"), mine, {"d1": minute(0)}, {"s1": "d1"})
    assert bool(found.strays) == stray


@pytest.mark.parametrize("text", [b"", b"[]", b'{"stories": 3}', b'{"stories": [{"story": "a"}]}', b"\xff"])
def test_a_file_that_holds_no_stories_is_refused(text: bytes) -> None:
    with pytest.raises(OperatorError, match="holds no stories"):
        read_stories(text, "s.json")


def test_a_story_asks_for_nothing_at_severity_0() -> None:
    story = Story("a", "t", (), (), first_alert=None)
    assert story.due == ()


PRICES = ["ticker,Date,Close", "ACME,2026-03-06,100", "ACME,2026-03-09,90", "ACME,2026-03-10,99"]


def test_changes_are_of_the_close_against_the_close_before() -> None:
    days = read_prices(PRICES, "p.csv")["ACME"]
    assert [(day.date, day.change) for day in days] == [("2026-03-09", -10.0), ("2026-03-10", 10.0)]


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (["ticker,Date"], "lacks the column 'Close'"),
        (["ticker,Date,Close", "A,2026-03-06,x"], "line 2"),
        (["ticker,Date,Close", "A,March,1"], "line 2"),
    ],
)
def test_prices_that_cannot_be_read_are_named(lines: list[str], wrong: str) -> None:
    with pytest.raises(OperatorError, match=wrong):
        read_prices(lines, "p.csv")


@pytest.mark.parametrize(
    ("opened_hours_before_close", "when", "hours"),
    [(30, "before", 30.0), (24, "during", 24.0), (1, "during", 1.0), (-2, "after", -2.0), (200, "none", None)],
)
def test_an_alert_is_before_during_or_after_the_day_of_a_fall(
    opened_hours_before_close: int, when: str, hours: float | None
) -> None:
    close_ms = START_MS + CLOSE_MS
    day = Day("2026-03-09", close_ms, 90.0, -10.0, close_ms - DAY_MS)
    opened = episodes(life("m"))[0]
    at_ms = close_ms - opened_hours_before_close * 3_600_000
    mine = Episode(opened.records, at_ms, None, opened.steps)
    (found,) = lead({"ACME": [day]}, [mine], START_MS, START_MS + DAY_MS)
    assert (found.falls[0].when, found.falls[0].hours) == (when, hours)
    assert found.days_told == (when in ("before", "during"))


@pytest.mark.parametrize(
    "text",
    ["", "shock", "shock.x=1", "shock.x=1:2", "shock.x=a:2:1", "shock.x=1:2:0", "shock.x=2:1:1", "shock.x=0:9:0.01"],
)
def test_a_sweep_that_says_nothing_or_too_much_is_refused(text: str) -> None:
    with pytest.raises(OperatorError, match="--sweep"):
        read_sweep(text)


def test_a_sweep_sets_its_key_and_nothing_else() -> None:
    sweep = read_sweep("shock.limits.watch=0.1:0.3:0.1")
    assert sweep.values == (0.1, 0.2, 0.3)
    text = with_value(RULES, sweep, 0.2)
    assert tomllib.loads(text)["rule"][0]["limits"] == {"watch": 0.2, "material": 0.6}
    assert [rule.name for rule in parse_rules(text, "rules.toml").rules] == ["shock"]


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("other.clear", "is not a rule"),
        ("shock.nothing.watch", "is no table"),
        ("shock.limits.severe", "watch, material"),
    ],
)
def test_a_sweep_of_what_is_not_there_says_what_is(key: str, wrong: str) -> None:
    with pytest.raises(OperatorError, match=wrong):
        with_value(RULES, read_sweep(f"{key}=0:1:1"), 0.5)
