"""One entity at a glance: its texts with the stories that they tell, and what every rule makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from riskstream.core.errors import OperatorError
from riskstream.core.reading.families import Families
from riskstream.core.records import SubjectRef
from riskstream.core.watching import state
from riskstream.core.watching.picture import SIGNALS_MAX, Picture, picture
from riskstream.core.watching.watch import Watch
from tests.core.signals import SHOCK, START_MS, WATCHLIST, make_signal, rules
from tests.core.test_state import Owner
from tests.core.test_watch_properties import EVERYTHING, SIGNALS, signals_of

ACME = SubjectRef("entity", "ACME", "Acme Corporation")


def seen(owner: Owner, now_ms: int = 0, entity: SubjectRef = ACME, text: str = "") -> Picture:
    """What the records of a lane show of one entity."""
    mine = {key: value for key, value in owner.log.items() if key.startswith(f"{entity.id}|".encode())}
    lane, families = owner.log.get(state.LANE_KEY), Families(WATCHLIST)
    return picture(mine, lane, entity, rules(text or owner.text), families, topic="state", now_ms=now_ms)


def test_texts_with_their_stories_and_what_a_rule_makes_of_them() -> None:
    owner = Owner(SHOCK)
    for number, (source, text) in enumerate([("wire", "a"), ("paper", "a"), ("blog", "b")]):
        signal = make_signal(f"d{number}", at_s=number, source=source, text=text, risk_score=0.7, voice=source)
        owner.on_signal(signal, START_MS + number * 1_000)
    found = seen(owner)
    told = [(one.signal.document_id, one.story, one.story_age_s, one.copies, one.carriers) for one in found.signals]
    assert told == [("d2", "b", 0.0, 0, 1), ("d1", "a", 1.0, 1, 2), ("d0", "a", 0.0, 0, 1)]
    assert (found.name, found.documents, found.denied_at) == ("Acme Corporation", 3, None)
    assert found.clock_at == found.as_of == "2026-03-09T00:00:02.000Z"
    (rule,) = found.rules
    assert (rule.phase, rule.value, rule.documents, rule.stories, rule.sources) == ("firing", 0.7, 3, 2, 2)
    assert rule.limits == {"watch": 0.3, "material": 0.6, "severe": 0.9}
    assert rule.alert_id == owner.watch.open_alerts()[0].alert_id
    assert "0.7" in rule.says


def test_windows_go_on_while_the_lane_is_idle() -> None:
    owner = Owner(SHOCK)
    owner.on_signal(make_signal(risk_score=0.7), START_MS)
    found = seen(owner, START_MS + 61_000)
    assert (found.clock_at, found.as_of) == ("2026-03-09T00:00:00.000Z", "2026-03-09T00:01:01.000Z")
    assert (found.rules[0].value, found.rules[0].documents, found.rules[0].phase) == (0.0, 0, "firing")


def test_under_other_rules_there_is_a_value_and_no_life() -> None:
    owner = Owner(SHOCK)
    owner.on_signal(make_signal(risk_score=0.7), START_MS)
    (rule,) = seen(owner, text=SHOCK.replace("watch = 0.3", "watch = 0.2")).rules
    assert (rule.value, rule.phase, rule.alert_id) == (0.7, "idle", None)


def test_of_nobody_there_is_nothing_but_the_rules() -> None:
    found = seen(Owner(SHOCK), entity=SubjectRef("entity", "BOLT", ""))
    assert (found.documents, found.signals, found.clock_at) == (0, (), None)
    assert [(rule.rule, rule.value, rule.phase) for rule in found.rules] == [("shock", 0.0, "idle")]


def test_only_the_newest_texts_are_shown() -> None:
    owner = Owner(SHOCK)
    for number in range(SIGNALS_MAX + 2):
        owner.on_signal(make_signal(f"d{number}"), START_MS + number)
    found = seen(owner)
    assert (found.documents, len(found.signals)) == (SIGNALS_MAX + 2, SIGNALS_MAX)
    assert found.signals[0].signal.document_id == f"d{SIGNALS_MAX + 1}"


def test_a_record_that_is_none_is_named() -> None:
    with pytest.raises(OperatorError, match="ACME"):
        picture({b"ACME|signal|1": b"{"}, None, ACME, rules(), Families({}), topic="state", now_ms=0)


@settings(max_examples=40, deadline=None)
@given(SIGNALS)
def test_it_shows_what_the_lane_itself_sees(story: list[tuple]) -> None:
    owner, now_ms = Owner(EVERYTHING), START_MS
    for signal, now_ms in signals_of(story):
        owner.on_signal(signal, now_ms)
    for entity in ("A", "B"):
        found, lane = seen(owner, entity=SubjectRef("entity", entity, "")), values_of(owner.watch, entity, now_ms)
        assert {view.rule: (view.value, view.phase) for view in found.rules if view.rule in lane} == lane


def values_of(watch: Watch, entity: str, now_ms: int) -> dict[str, tuple[float, str]]:
    """The value and the phase of every rule that has anything of an entity."""
    subject = watch._shelf.get(entity)
    cells = {} if subject is None else subject.cells
    for cell in cells.values():
        cell.advance(now_ms)
    return {name: (cell.gauge.value(), cell.life.phase) for name, cell in cells.items()}
