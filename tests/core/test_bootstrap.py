"""Rules that look back learn from kept signals: a lane knows then what it would, had they been there all along."""

from __future__ import annotations

from hypothesis import given, settings

from riskstream.core.records import Alert, Signal
from riskstream.core.watching import bootstrap, state
from riskstream.core.watching.watch import RENEWING, Watch
from tests.core.signals import SHOCK, START_MS, WATCHLIST, make_signal, rules
from tests.core.test_picture import values_of
from tests.core.test_state import TOPIC, Owner
from tests.core.test_watch_properties import EVERYTHING, PEOPLE, SIGNALS, signals_of

H = 3_600
USUAL = """
[[rule]]
name = "burst"
shape = "spike"
window_s = 3600
baseline_s = 86400
warm_up_s = 72000
baseline_min = 1
limit = 3
[[rule]]
name = "first"
shape = "new"
of = "category"
window_s = 3600
memory_s = 604800
warm_up_s = 72000
"""
NO_SPIKES = [part for part in EVERYTHING.split("[[rule]]") if 'shape = "spike"' not in part]
LACKING = "[[rule]]".join(NO_SPIKES).replace(', "burst"', "")
Heard = list[tuple[Signal, int]]


class Watching(Owner):
    """Somebody watches everybody that the stories are about."""

    def make(self) -> Watch:
        return Watch(rules(self.text), {**WATCHLIST, **PEOPLE}, keeps_state=True, config=str(hash(self.text)))


def a_day() -> Heard:
    """A text an hour about ACME, of credit and of cyber, for a day and a bit."""
    heard = []
    for hour in range(26):
        risk = {"credit": 0.9, "cyber": 0.1} if hour % 2 else {"credit": 0.1, "cyber": 0.9}
        signal = make_signal(f"d{hour}", at_s=hour * H, risk_score=0.1, risk=risk)
        heard.append((signal, START_MS + hour * H * 1_000))
    return heard


def learnt(owner: Owner, text: str, heard: Heard) -> Owner:
    """The next owner of a lane, under these rules, after they have learnt from what was heard."""
    kept = state.split(owner.log, TOPIC)
    engine = Watch(bootstrap.looking_back(rules(text)), {**WATCHLIST, **PEOPLE})
    for signal, append_ms in heard:
        engine.on_signal(signal, append_ms)
    assert kept.lane is not None
    engine.on_time(kept.lane.clock_ms)
    changed = [state.encode(change, kept.offset) for change in bootstrap.changes(engine, kept)]
    lane = state.encode_lane(bootstrap.lane_of(engine, kept, 0), kept.offset)
    return Watching(text, {**owner.log, **{key: value for key, value in [*changed, lane] if value is not None}})


def after(owner: Owner, texts: int, **fields: object) -> list[Alert]:
    """What a lane tells of so many texts within a minute, a day and three hours on."""
    owner.watch.renew()
    told: list[Alert] = []
    for number in range(texts):
        signal = make_signal(f"late{number}", at_s=27 * H + number, risk_score=0.1, **fields)
        told += owner.on_signal(signal, START_MS + (27 * H + number) * 1_000)
    return told


def test_rules_that_were_added_speak_at_once_and_would_not_without() -> None:
    owner, heard = Owner(SHOCK), a_day()
    for signal, append_ms in heard:
        owner.on_signal(signal, append_ms)
    text = SHOCK + USUAL
    credit = {"risk": {"credit": 0.9}}
    assert after(Owner(text, dict(owner.log)), 5, **credit) == [], "no history"
    told = after(learnt(owner, text, heard), 5, **credit)
    assert [(alert.rule, alert.reason, alert.value) for alert in told[:1]] == [("burst", "fired", 3.0)]
    assert {alert.rule for alert in told} == {"burst"}, "credit is nothing new"
    told = after(learnt(owner, text, heard), 1, risk={"fraud": 0.9})
    assert [(alert.rule, alert.reason) for alert in told] == [("first", "fired")], "fraud is"


def test_of_who_was_forgotten_what_is_usual_is_kept_until_it_means_nothing() -> None:
    owner, heard = Owner(SHOCK), a_day()
    owner.on_signal(make_signal("x", entity="BOLT", at_s=26 * H, risk_score=0.1), START_MS + 26 * H * 1_000)
    after_it = learnt(owner, SHOCK + USUAL, heard)
    assert {key.decode() for key in after_it.log if b"ACME" in key} == {"ACME|rule|burst", "ACME|rule|first"}
    assert [alert.rule for alert in after(after_it, 1, risk={"credit": 0.9})] == []
    assert [alert.rule for alert in after(learnt(owner, SHOCK + USUAL, heard), 1, risk={"fraud": 0.9})] == ["first"]
    after_it.on_time(START_MS + 30 * 24 * H * 1_000)
    assert not [key for key in after_it.log if b"|rule|" in key]


def test_no_alert_of_the_state_changes_and_one_of_another_version_is_resolved_by_the_next_owner() -> None:
    told = USUAL.replace("warm_up_s = 72000", "warm_up_s = 0")
    owner, heard = Owner(told), a_day()
    for signal, append_ms in heard:
        owner.on_signal(signal, append_ms)
    after(owner, 4)
    (alert,) = [alert for alert in owner.watch.open_alerts() if alert.rule == "burst"]
    same = learnt(owner, told, heard)
    assert alert in same.watch.open_alerts()
    assert same.watch.save().config == RENEWING, "its next owner looks at every subject"
    changed = learnt(owner, told.replace("limit = 3", "limit = 2.5"), heard)
    assert ("burst", "rule_changed") in [(alert.rule, alert.reason) for alert in changed.watch.renew()]


@settings(max_examples=60, deadline=None)
@given(SIGNALS)
def test_a_spike_that_learnt_sees_what_one_that_was_there_all_along_sees(story: list[tuple]) -> None:
    heard = list(signals_of(story))
    there, without = Watching(EVERYTHING), Watching(LACKING)
    for signal, append_ms in heard:
        there.on_signal(signal, append_ms)
        without.on_signal(signal, append_ms)
    if not heard:
        return
    now_ms = heard[-1][1]
    late = learnt(without, EVERYTHING, heard)
    late.watch.renew()
    for entity in ("A", "B"):
        known, found = values_of(there.watch, entity, now_ms), values_of(late.watch, entity, now_ms)
        for rule in {"burst", "worse"} & known.keys():
            assert found.get(rule, (0.0,))[0] == known[rule][0]
