"""State as records: what a lane remembers is written as it changes, and whoever reads it goes on as if nothing was."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskstream.core.errors import OperatorError
from riskstream.core.reading.families import Families
from riskstream.core.records import Alert, Signal
from riskstream.core.watching import codec, state
from riskstream.core.watching.rollups import Router
from riskstream.core.watching.watch import Watch, WatchLimits
from tests.core.signals import SHOCK, START_MS, WATCHLIST, make_signal, rules
from tests.core.test_watch_properties import EVERYTHING, PEOPLE, SIGNALS, signals_of

TOPIC = "riskstream.state"


class Owner:
    """An engine whose changes go into a log, as the watch stage writes them. `handed_over` is the next owner."""

    def __init__(self, text: str = EVERYTHING, log: dict[bytes, bytes] | None = None, **limits: int) -> None:
        self.text, self.limits = text, limits
        self.log = {} if log is None else log
        self.offset = -1
        self.watch = self.make()
        if self.log:
            kept = state.split(self.log, TOPIC)
            self.offset = kept.offset
            self.watch.restore(kept)

    def make(self) -> Watch:
        there = rules(self.text)
        limits, config = WatchLimits(**self.limits), str(hash(self.text))
        return Watch(there, WATCHLIST, limits=limits, keeps_state=True, config=config)

    def on_signal(self, signal: Signal, append_ms: int) -> list[Alert]:
        self.offset += 1
        raw = msgspec.Raw(codec.encode(signal))
        alerts = list(self.watch.on_signal(signal, append_ms, raw).alerts)
        self.write()
        return alerts

    def on_time(self, now_ms: int) -> list[Alert]:
        alerts = list(self.watch.on_time(now_ms))
        self.write()
        return alerts

    def write(self) -> None:
        records = [state.encode(change, self.offset) for change in self.watch.changes()]
        for key, value in [*records, state.encode_lane(self.watch.save(), self.offset)]:
            self.log.pop(key, None)
            if value is not None:
                self.log[key] = value

    def handed_over(self, text: str = "") -> Owner:
        return type(self)(text or self.text, dict(self.log), **self.limits)


class OwnerOfOthers(Owner):
    """The same for a lane of rollups."""

    def make(self) -> Watch:
        there = rules(self.text)
        self.router = Router(there, Families(PEOPLE))
        limits, config = WatchLimits(**self.limits), str(hash(self.text))
        return Watch(there, PEOPLE, limits=limits, keeps_state=True, config=config, rollups=True)

    def on_signal(self, signal: Signal, append_ms: int) -> list[Alert]:
        alerts: list[Alert] = []
        for rollup in self.router.rollups(signal):
            self.offset += 1
            raw = msgspec.Raw(codec.encode(rollup.signal))
            alerts += self.watch.on_rollup(rollup, append_ms, raw).alerts
            self.write()
        return alerts


def play(owner: Owner, story: list[tuple], cuts: set[int]) -> list[Alert]:
    alerts: list[Alert] = []
    now_ms = START_MS
    for number, (signal, now_ms) in enumerate(signals_of(story)):
        if number in cuts:
            owner = owner.handed_over()
        alerts += owner.on_signal(signal, now_ms)
    if len(story) in cuts:
        owner = owner.handed_over()
    half_way = now_ms + 7_000
    alerts += owner.on_time(half_way)
    if len(story) + 1 in cuts:
        owner = owner.handed_over()
    return [*alerts, *owner.on_time(now_ms + 90_000)]


@settings(max_examples=100, deadline=None)
@given(SIGNALS, st.sets(st.integers(0, 27)))
def test_a_lane_that_changes_hands_at_any_point_gives_the_same_alerts(story: list[tuple], cuts: set[int]) -> None:
    assert play(Owner(), story, cuts) == play(Owner(), story, set())


@settings(max_examples=60, deadline=None)
@given(SIGNALS, st.sets(st.integers(0, 27)))
def test_the_same_holds_for_groups_portfolios_sources_and_the_market(story: list[tuple], cuts: set[int]) -> None:
    assert play(OwnerOfOthers(), story, cuts) == play(OwnerOfOthers(), story, set())


@settings(max_examples=60, deadline=None)
@given(SIGNALS, st.sets(st.integers(0, 27)), st.integers(1, 3), st.integers(1, 2))
def test_the_same_holds_where_memory_is_short(
    story: list[tuple], cuts: set[int], events_max: int, subjects_max: int
) -> None:
    short = {"events_max": events_max, "subjects_max": subjects_max, "memory_margin_ms": 2_000}
    assert play(Owner(**short), story, cuts) == play(Owner(**short), story, set())


@settings(max_examples=40, deadline=None)
@given(SIGNALS)
def test_the_log_holds_what_the_engine_holds_and_is_empty_when_all_is_over(story: list[tuple]) -> None:
    owner = Owner()
    now_ms = START_MS
    for signal, now_ms in signals_of(story):
        owner.on_signal(signal, now_ms)
        after = owner.handed_over().watch
        assert (after.subjects, after.clock_ms, after.late) == (owner.watch.subjects, now_ms, owner.watch.late)
        assert sorted(a.alert_id for a in after.open_alerts()) == sorted(a.alert_id for a in owner.watch.open_alerts())
    owner.on_time(now_ms + 2 * 3_600_000 + 60_000)
    assert [key for key in owner.log if key != state.LANE_KEY] == []


def test_a_signal_is_one_record_with_its_json_as_it_came() -> None:
    owner = Owner(SHOCK)
    signal = make_signal("d1", at_s=1, risk_score=0.1)
    owner.on_signal(signal, START_MS + 1_000)
    assert list(owner.log) == [b"ACME|signal|1", b"|lane|"]
    record = msgspec.json.decode(owner.log[b"ACME|signal|1"])
    assert (record["v"], record["offset"]) == (state.VERSION, 0)
    assert codec.encode(signal) in owner.log[b"ACME|signal|1"]
    assert len(owner.log[b"ACME|signal|1"]) < len(codec.encode(signal)) + 150
    owner.on_signal(msgspec.structs.replace(signal, signal_id="elsewhere"), START_MS + 2_000)
    assert len(owner.log[b"ACME|signal|2"]) < 150, "of a repeated document only its place"


def test_an_alert_is_one_record_that_goes_when_its_rule_is_idle_again() -> None:
    owner = Owner(SHOCK)
    (alert,) = owner.on_signal(make_signal("d1", at_s=1, risk_score=0.7), START_MS + 1_000)
    assert codec.encode(alert) in owner.log[b"ACME|rule|shock"]
    assert owner.handed_over().watch.open_alerts() == (alert,)
    owner.on_time(START_MS + 100_000)
    assert b"ACME|rule|shock" not in owner.log


def test_a_sleeping_subject_is_not_built_before_something_is_due() -> None:
    owner = Owner(SHOCK)
    for number in range(5):
        owner.on_signal(make_signal(f"d{number}", entity=f"E{number}", risk_score=0.1), START_MS)
    owner.on_signal(make_signal("bad", entity="E3", risk_score=0.7), START_MS)
    after = owner.handed_over()
    assert (after.watch.subjects, after.watch.events) == (5, 0)
    (resolved,) = after.on_time(START_MS + 120_000)
    assert (resolved.subject.id, resolved.reason, after.watch.events) == ("E3", "expired", 2)


@pytest.mark.parametrize("idle_first", [True, False])
def test_the_subject_touched_longest_ago_goes_but_never_one_with_an_alert(idle_first: bool) -> None:
    owner = Owner(SHOCK, subjects_max=2)
    scores = {"A": 0.7, "B": 0.1, "C": 0.1, "D": 0.1} if not idle_first else {"B": 0.1, "A": 0.7, "C": 0.1, "D": 0.1}
    for entity, score in scores.items():
        owner.on_signal(make_signal(f"of {entity}", entity=entity, risk_score=score), START_MS)
        owner = owner.handed_over()
    assert {key.split(b"|")[0] for key in owner.log} == {b"A", b"D", b""}
    assert owner.watch.ticks.evicted["limit"] == 0, "by the owners before"


def test_a_limit_that_only_open_alerts_fill_is_exceeded() -> None:
    owner = Owner(SHOCK, subjects_max=2)
    for number in range(6):
        owner.on_signal(make_signal(f"d{number}", entity=f"E{number}", risk_score=0.7), START_MS)
    assert owner.watch.subjects == 6
    owner.on_time(START_MS + 100_000)
    owner.on_signal(make_signal("last", at_s=100, entity="E0", risk_score=0.1), START_MS + 100_000)
    assert (owner.watch.subjects, owner.watch.ticks.evicted["limit"]) == (2, 4)


REREAD = [
    ("the rule is gone", SHOCK.replace("shock", "other"), ["rule_removed", "fired"]),
    ("the rule is another", SHOCK.replace("material = 0.6", "material = 0.65"), ["rule_changed", "fired"]),
    ("the rule is the same beside a new one", SHOCK + SHOCK.replace("shock", "other"), ["fired"]),
    ("the file alone is another", SHOCK + "\n# a comment", []),
]


@pytest.mark.parametrize(("says", "text", "told"), REREAD, ids=[case[0] for case in REREAD])
def test_rules_that_changed_while_nobody_ran(says: str, text: str, told: list[str]) -> None:
    owner = Owner(SHOCK)
    (alert,) = owner.on_signal(make_signal("d1", at_s=1, risk_score=0.7), START_MS + 1_000)
    after = owner.handed_over(text)
    alerts = after.on_time(START_MS + 3_000)
    assert [alert.reason for alert in alerts] == told, says
    assert [a.alert_id == alert.alert_id for a in alerts if a.state == "resolved"] == [True] * (len(told) - 1)
    for resolved in after.on_time(START_MS + 200_000):
        assert resolved.reason in ("evidence", "expired")
    assert after.watch.open_alerts() == ()
    assert after.handed_over().watch.open_alerts() == ()


UNREADABLE = [
    ("a version from the future", b"A|signal|1", b'{"v":99,"offset":1,"state":{}}', "version 99"),
    ("not JSON", b"A|signal|1", b"{", "riskstream.state"),
    ("nested too deeply", b"A|signal|1", b'{"v":1,"offset":1,"state":{},"more":' + b"[" * 100_000, "riskstream.state"),
    ("a key of another kind", b"key", b'{"v":1,"offset":1,"state":{}}', "key"),
    ("a lane without a clock", b"|lane|", b'{"v":1,"offset":1,"state":{}}', "clock_ms"),
]


@pytest.mark.parametrize(("says", "key", "value", "named"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_a_record_that_cannot_be_read_is_named(says: str, key: bytes, value: bytes, named: str) -> None:
    with pytest.raises(OperatorError, match=named):
        state.split({key: value}, TOPIC)


def test_a_damaged_state_is_named_when_its_subject_wakes() -> None:
    watch = Owner(SHOCK).watch
    watch.restore(state.split({b"A|signal|1": b'{"v":1,"offset":1,"state":{"seen_ms":"x"}}'}, TOPIC))
    with pytest.raises(OperatorError, match=r"A\|signal\|1.*seen_ms"):
        watch.on_signal(make_signal("d1", entity="A"), START_MS)


def test_the_offset_of_the_newest_record_is_told() -> None:
    owner = Owner(SHOCK)
    for number in range(3):
        owner.on_signal(make_signal(f"d{number}"), START_MS)
    assert state.split(owner.log, TOPIC).offset == 2
    assert state.split({}, TOPIC).offset == -1
