"""Subjects that are more than one entity: who belongs to what, what travels, and what rules about them say."""

import msgspec
import pytest

from riskstream.core.reading.families import Families
from riskstream.core.records import MARKET, Alert, Watched
from riskstream.core.watching.desk import Desk
from riskstream.core.watching.rollups import Rollup, Router
from tests.core.signals import START_MS, make_signal, replaced, rules

WATCHLIST = {
    one.id: one
    for one in (
        Watched("A", "Aurochs", groups=("growth", "tech"), weight=60),
        Watched("B", "Belmont", groups=("growth",), weight=30),
        Watched("C", "Calder", groups=("growth",), weight=10),
        Watched("P", "Parent Holding"),
        Watched("S", "Subsidiary", parent="P"),
        Watched("T", "Sub of the subsidiary", groups=("tech",), parent="S"),
    )
}
FAMILIES = Families(WATCHLIST)
RULE = '[[rule]]\nname = "r"\nby = "%s"\nfield = "risk_score"\naggregate = "max"\nwindow_s = 60\nlimit = 0.5\n'


def test_a_parent_is_the_group_of_all_below_it() -> None:
    assert FAMILIES.groups_of("P") == ("P",)
    assert FAMILIES.groups_of("S") == ("S", "P")
    assert FAMILIES.groups_of("T") == ("tech", "S", "P")
    assert FAMILIES.groups_of("nobody") == ()
    assert (FAMILIES.name_of("P"), FAMILIES.name_of("tech")) == ("Parent Holding", "tech")
    assert FAMILIES.members_of(("P", "tech")) == {"A", "P", "S", "T"}


def test_shares_are_of_the_sum_of_weights() -> None:
    assert FAMILIES.shares_of("growth") == {"A": 0.6, "B": 0.3, "C": 0.1}
    assert FAMILIES.shares_of("nobody") == {}
    assert Families({"Z": Watched("Z", "Zero", groups=("none",), weight=0)}).shares_of("none") == {"Z": 0.0}


ROUTES: list[tuple[str, str, str, list[str]]] = [
    (RULE % "entity", "A", "nothing travels for rules about entities", []),
    (RULE % "group", "A", "to each group", ["group:growth", "group:tech"]),
    (RULE % "group", "T", "to each family above", ["group:tech", "group:S", "group:P"]),
    (RULE % "group", "X", "nobody's", []),
    (RULE % "portfolio", "B", "to each portfolio", ["portfolio:growth"]),
    (RULE % "source", "A", "to its source", ["source:wire"]),
    (RULE % "market", MARKET, "to the market, whoever it is about", ["market:*"]),
    (RULE % "group" + 'match = { groups = ["tech"] }', "A", "only where a rule asks", ["group:tech"]),
]


@pytest.mark.parametrize(("text", "entity", "says", "keys"), ROUTES, ids=[case[2] for case in ROUTES])
def test_routes(text: str, entity: str, says: str, keys: list[str]) -> None:
    found = Router(rules(text), FAMILIES).rollups(make_signal(entity=entity))
    assert [rollup.key for rollup in found] == keys, says


def test_a_contribution_is_compact_and_survives_the_wire() -> None:
    (rollup,) = Router(rules(RULE % "market"), FAMILIES).rollups(make_signal(snippet="x" * 500))
    assert rollup.signal is not None and rollup.signal.snippet == ""
    (untitled,) = Router(rules(RULE % "market"), FAMILIES).rollups(make_signal(snippet="x" * 500, title=""))
    assert untitled.signal is not None and len(untitled.signal.snippet) == 160
    assert msgspec.json.decode(msgspec.json.encode(rollup), type=Rollup) == rollup


def feed(desk: Desk, *story: tuple[float, str, float, dict[str, object]]) -> list[Alert]:
    alerts: list[Alert] = []
    for number, (at_s, entity, score, fields) in enumerate(story):
        name = str(fields.pop("document", f"d{number}"))
        signal = make_signal(name, at_s=at_s, entity=entity, risk_score=score, **fields)
        alerts += desk.on_signal(signal, START_MS + round(at_s * 1000)).alerts
    return alerts


def test_a_portfolio_fires_on_weighted_exposure_and_names_what_drives_it() -> None:
    desk = Desk(rules(RULE % "portfolio" + "at_least = 0.1\n"), WATCHLIST)
    assert feed(desk, (1, "B", 0.9, {}), (2, "C", 0.9, {})) == [], "40 % of the exposure"
    (alert,) = feed(desk, (3, "A", 0.4, {}))
    assert (alert.subject.by, alert.subject.id, alert.value, alert.entity) == ("portfolio", "growth", 0.6, None)
    assert [(one.id, one.share, one.value, one.contribution) for one in alert.holdings] == [
        ("B", 0.3, 0.9, 0.27),
        ("A", 0.6, 0.4, 0.24),
        ("C", 0.1, 0.9, 0.09),
    ]
    assert "driven by B Corp (30% at 0.9), A Corp (60% at 0.4), C Corp (10% at 0.9)" in alert.summary
    resolved = desk.on_time(START_MS + 300_000)
    assert resolved[-1].reason == "cleared"
    assert resolved[-1].holdings, "the last that there were"


def test_another_weight_counts_at_once() -> None:
    desk = Desk(rules(RULE % "portfolio" + "at_least = 0.1\n"), WATCHLIST)
    feed(desk, (1, "B", 0.9, {}))
    heavier = {**WATCHLIST, "B": msgspec.structs.replace(WATCHLIST["B"], weight=600)}
    replaced(desk.others, START_MS + 2_000, watchlist=heavier)
    replaced(desk.entities, START_MS + 2_000, watchlist=heavier)
    assert [alert.value for alert in feed(desk, (3, "C", 0.1, {}))] == [0.8075]


def test_one_document_about_two_members_is_one_document_of_the_group() -> None:
    desk = Desk(rules(RULE % "group" + 'match = { groups = ["growth"] }\n'), WATCHLIST)
    alerts = feed(desk, (1, "A", 0.9, {"document": "d"}), (1, "B", 0.8, {"document": "d"}), (2, "C", 0.9, {}))
    assert (alerts[0].subject.id, alerts[0].documents) == ("growth", 1)
    assert alerts[-1].documents == 2
    assert feed(desk, (3, "A", 0.9, {"document": "d"})) == [], "a copy changes nothing"


def test_a_rule_about_a_source_may_ask_for_members_of_a_group() -> None:
    desk = Desk(rules(RULE % "source" + 'match = { groups = ["tech"], entities = ["A", "B"] }\n'), WATCHLIST)
    assert feed(desk, (1, "B", 0.9, {}), (2, "T", 0.9, {})) == []
    assert [alert.subject.id for alert in feed(desk, (3, "A", 0.9, {"source": "blog"}))] == ["blog"]


def test_a_group_that_nobody_belongs_to_any_more_is_resolved() -> None:
    desk = Desk(rules(RULE % "group" + 'match = { groups = ["tech"] }\n'), WATCHLIST)
    feed(desk, (1, "A", 0.9, {}))
    left = {"B": WATCHLIST["B"]}
    assert [alert.reason for alert in replaced(desk.others, START_MS + 2_000, watchlist=left)] == ["entity_removed"]


SILENT = '[[rule]]\nname = "r"\nby = "source"\nshape = "flatline"\nheard_min = 2\nlimit = 100\n'


def test_heartbeats_are_heard_although_they_name_nobody() -> None:
    desk = Desk(rules(SILENT), WATCHLIST)
    for at_s in (0, 60, 120):
        at = make_signal(at_s=at_s).published_at
        assert desk.on_heartbeat(Rollup("source", "wire", heard_at=at, kind="news"), START_MS + at_s * 1000) == ()
    told = desk.on_time(START_MS + 400_000)
    assert [(alert.subject.id, alert.updated_at[14:19], alert.reason) for alert in told] == [("wire", "03:40", "fired")]
    at = make_signal(at_s=401).published_at
    told = desk.on_heartbeat(Rollup("source", "wire", heard_at=at, kind="news"), START_MS + 401_000)
    assert [alert.reason for alert in told] == ["cleared"]


def test_a_heartbeat_says_nothing_to_a_rule_that_asks_for_more() -> None:
    desk = Desk(rules(SILENT + "match = { risk_score_min = 0.5 }\n"), WATCHLIST)
    for at_s in (0, 60):
        at = make_signal(at_s=at_s).published_at
        desk.on_heartbeat(Rollup("source", "wire", heard_at=at), START_MS + at_s * 1000)
    assert desk.on_time(START_MS + 400_000) == ()
