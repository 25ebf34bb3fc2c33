"""The engine of a lane: what a story of signals and seconds becomes."""

import msgspec
import pytest

from riskstream.core.clock import format_ms
from riskstream.core.phrases import span
from riskstream.core.records import MARKET, Alert, Signal
from riskstream.core.watching.watch import Step, Watch
from tests.core.signals import SHOCK, START_MS, WATCHLIST, engine, make_signal, replaced, rules


def feed(watch: Watch, signal: Signal, at_s: float) -> Step:
    return watch.on_signal(signal, START_MS + round(at_s * 1000))


def say(watch: Watch, document: str, score: float, at_s: float, **fields: object) -> Step:
    return feed(watch, make_signal(document, at_s=at_s, risk_score=score, **fields), at_s)


def tell(alerts: tuple[Alert, ...]) -> list[str]:
    """Each alert as `second reason severity`."""
    seconds = [(alert.updated_at[14:19], alert) for alert in alerts]
    return [f"{int(at[:2]) * 60 + int(at[3:])} {alert.reason} {alert.severity}" for at, alert in seconds]


def until(watch: Watch, at_s: float) -> tuple[Alert, ...]:
    return watch.on_time(START_MS + round(at_s * 1000))


# (what the rule adds, [(second, score), …], the changes told by second 300, in words)
STORIES: list[tuple[str, list[tuple[float, float]], list[str], str]] = [
    ("", [(5, 0.2)], [], "below every limit nothing is told"),
    ("", [(5, 0.7)], ["5 fired material", "65 expired material"], "one text fires; expired when its window is empty"),
    (
        "",
        [(5, 0.7), (9, 0.1)],
        ["5 fired material", "65 cleared material"],
        "cleared when only harmless texts are left",
    ),
    (
        "",
        [(5, 0.4), (7, 0.7), (8, 0.95)],
        ["5 fired watch", "7 raised material", "8 raised severe", "68 expired severe"],
        "raised at once, step by step",
    ),
    (
        "",
        [(5, 0.95), (30, 0.4)],
        ["5 fired severe", "65 lowered watch", "90 expired watch"],
        "without lower_after_s lowered as soon as the severe text leaves",
    ),
    (
        "lower_after_s = 10",
        [(5, 0.95), (30, 0.4)],
        ["5 fired severe", "75 lowered watch", "90 expired watch"],
        "lowered after it stayed below for lower_after_s",
    ),
    (
        "lower_after_s = 10",
        [(5, 0.95), (30, 0.4), (70, 0.92)],
        ["5 fired severe", "130 expired severe"],
        "a dip shorter than lower_after_s lowers nothing",
    ),
    (
        "keep_firing_for_s = 30",
        [(5, 0.7), (80, 0.7)],
        ["5 fired material", "170 expired material"],
        "a gap shorter than keep_firing_for_s resolves nothing",
    ),
    (
        "cooldown_s = 30",
        [(5, 0.7), (70, 0.7)],
        ["5 fired material", "65 expired material", "95 fired material", "130 expired material"],
        "nothing fires while it cools, then at once",
    ),
    ("for_s = 20", [(5, 0.7)], ["25 fired material", "65 expired material"], "fires when held for for_s, at a tick"),
    ("for_s = 20\nsources_min = 2", [(5, 0.7)], [], "what passes no gate does not begin to wait"),
    ("sources_min = 2", [(5, 0.7), (6, 0.7)], [], "one source twice is one source"),
    ("sources_min = { severe = 2 }", [(5, 0.95)], ["5 fired material", "65 expired material"], "a gate by severity"),
    ("documents_min = 2", [(5, 0.7), (6, 0.7)], ["6 fired material", "66 expired material"], "two documents"),
]


@pytest.mark.parametrize(("extra", "texts", "told", "says"), STORIES, ids=[story[3] for story in STORIES])
def test_story(extra: str, texts: list[tuple[float, float]], told: list[str], says: str) -> None:
    watch = engine(extra=extra)
    alerts: list[Alert] = []
    for number, (at_s, score) in enumerate(texts):
        alerts += say(watch, f"d{number}", score, at_s).alerts
    alerts += until(watch, 300)
    assert [line for line in tell(tuple(alerts)) if "evidence" not in line] == told, says
    assert watch.open_alerts() == ()


def test_a_record_says_all_of_the_contract() -> None:
    watch = engine(extra='labels = { desk = "credit" }')
    say(watch, "early", 0.35, 1, source="blog", title="Talk about Acme")
    (alert,) = say(watch, "big", 0.95, 4, title="Acme misses payment", snippet="x" * 600).alerts
    assert alert.subject == msgspec.structs.replace(alert.subject, by="entity", id="ACME", name="Acme Corporation")
    assert alert.entity is not None and alert.entity.name == "ACME Corp"
    assert (alert.rule, alert.shape, alert.state, alert.reason) == ("shock", "threshold", "updated", "raised")
    assert (alert.sequence, alert.value, alert.limit, alert.severity) == (2, 0.95, 0.9, "severe")
    assert (alert.sources, alert.documents, alert.stories) == (2, 2, 2)
    assert alert.starts_at == alert.first_seen_at == format_ms(START_MS + 1000)
    assert (alert.updated_at, alert.ends_at) == (format_ms(START_MS + 4000), None)
    assert [len(evidence.text) for evidence in alert.evidence] == [500, len("snippet of early")]
    assert (alert.labels, alert.model) == ({"desk": "credit"}, "m@1")
    assert alert.summary == (
        "Acme Corporation: severe. Highest risk_score 0.95 over 1 min (limit 0.9); 2 documents, 2 stories, 2 sources. "
        "Reported as a fact. Raised by “Acme misses payment” (wire)."
    )
    assert (alert.confirmation, alert.why) == ("reported", "raised by “Acme misses payment” (wire)")
    resolved = until(watch, 300)[-1]
    assert (resolved.state, resolved.ends_at, resolved.alert_id) == ("resolved", resolved.updated_at, alert.alert_id)
    assert resolved.evidence == alert.evidence[:1], "the last evidence that there was"


def test_sequences_rise_by_one_and_an_alert_begins_and_ends_once() -> None:
    watch = engine()
    alerts = [alert for second in range(0, 200, 7) for alert in say(watch, f"d{second}", 0.7, second).alerts]
    alerts += until(watch, 400)
    assert [alert.sequence for alert in alerts] == list(range(1, len(alerts) + 1))
    assert {alert.alert_id for alert in alerts} == {alerts[0].alert_id}
    assert [alert.state for alert in alerts] == ["firing", *["updated"] * (len(alerts) - 2), "resolved"]


def test_a_new_story_or_source_is_told_at_once_a_copy_waits_for_update_s() -> None:
    watch = engine()
    assert tell(say(watch, "a", 0.7, 1, text="t").alerts) == ["1 fired material"]
    assert say(watch, "b", 0.7, 2, text="t").alerts == ()
    assert say(watch, "c", 0.7, 3, text="t", source="blog").alerts == (), "a copy elsewhere is no other source"
    assert tell(say(watch, "d", 0.7, 4, text="other").alerts) == ["4 evidence material"]
    assert tell(say(watch, "e", 0.7, 5, text="own", source="blog").alerts) == ["5 evidence material"]
    assert say(watch, "f", 0.7, 6, text="t").alerts == ()
    (alert,) = until(watch, 25)
    assert (tell((alert,)), alert.documents, alert.stories, alert.sources) == (["25 evidence material"], 6, 3, 2)
    assert until(watch, 60) == (), "nothing changed, nothing told"


def test_a_separate_clear_measure_holds_an_alert_through_silence_and_ends_it_with_good_news() -> None:
    clear = 'clear = { aggregate = "decayed_mean", window_s = 600, half_life_s = 30, limit = 0.25 }'
    watch = engine(SHOCK.replace("clear = 0.2", clear))
    say(watch, "bad", 0.7, 5)
    alerts = until(watch, 200)
    assert [line for line in tell(alerts) if "evidence" not in line] == ["65 lowered watch"]
    assert (alerts[-1].value, alerts[-1].limit) == (0.7, 0.25), "what holds it is what it tells"
    assert tell(say(watch, "good", 0.01, 210).alerts) == ["210 cleared watch"]


OUTCOMES = [
    ("the same signal", {"document": "d1"}, "duplicate"),
    ("the same document and text at another place", {"document": "d1", "position": "p2"}, "duplicate"),
    ("the same document with another text", {"document": "d1", "position": "p2", "text": "new"}, "revision"),
    ("the same text in another document", {"document": "d2", "text": "text of d1"}, "accepted"),
    ("the same document about another entity", {"document": "d1", "entity": "B"}, "accepted"),
    ("a late one", {"document": "d3", "late": True}, "late"),
    ("one about the market", {"document": "d3", "entity": MARKET}, "accepted"),
]


@pytest.mark.parametrize(("says", "fields", "outcome"), OUTCOMES, ids=[case[0] for case in OUTCOMES])
def test_outcomes(says: str, fields: dict[str, str], outcome: str) -> None:
    watch = engine()
    feed(watch, make_signal("d1", at_s=1), 1)
    assert feed(watch, make_signal(at_s=2, **fields), 2).outcome == outcome, says
    assert watch.late == (outcome == "late")


def test_a_duplicate_changes_nothing_and_a_revision_replaces() -> None:
    watch = engine(extra="documents_min = 2")
    say(watch, "d1", 0.7, 1)
    assert say(watch, "d1", 0.7, 2, position="again").alerts == ()
    assert say(watch, "d1", 0.1, 3, position="revised", text="no harm").alerts == ()
    assert say(watch, "d2", 0.7, 4).alerts == (), "the harmful text of d1 is gone"
    assert tell(say(watch, "d1", 0.8, 5, position="once more", text="harm again").alerts) == ["5 fired material"]
    assert tell(say(watch, "d1", 0.0, 6, position="last", text="settled").alerts) == []
    assert tell(say(watch, "d2", 0.0, 7, position="last 2", text="settled too").alerts) == ["7 cleared material"]


def test_an_old_place_that_comes_again_after_a_revision_is_a_duplicate() -> None:
    watch = engine()
    say(watch, "d1", 0.1, 1, position="p1")
    say(watch, "d1", 0.1, 2, position="p2", text="v2")
    assert say(watch, "d1", 0.1, 3, position="p1").outcome == "duplicate"


def test_a_text_ahead_of_the_clock_counts_as_now_and_a_clamped_one_as_received() -> None:
    watch = engine()
    (alert,) = feed(watch, make_signal("ahead", at_s=200, risk_score=0.7), 10).alerts
    assert alert.starts_at == format_ms(START_MS + 10_000)
    assert tell(until(watch, 71)) == ["70 expired material"]
    far = make_signal("far", at_s=9_000, risk_score=0.7, clamped=True, received_at=format_ms(START_MS + 80_000))
    (alert,) = feed(watch, far, 81).alerts
    assert alert.starts_at == format_ms(START_MS + 80_000)


def test_a_text_too_old_for_the_window_does_nothing() -> None:
    watch = engine()
    assert feed(watch, make_signal("old", at_s=0, risk_score=0.9), 61) == Step((), "accepted")


def test_the_clock_never_goes_back_and_ticks_run_before_the_signal_that_passes_them() -> None:
    watch = engine()
    say(watch, "d1", 0.7, 5)
    until(watch, 30.7)
    assert watch.clock_ms == START_MS + 30_000, "the last tick"
    feed(watch, make_signal("d2", at_s=3, risk_score=0.7), 3)
    assert watch.clock_ms == START_MS + 30_000
    step = say(watch, "d3", 0.95, 100)
    assert tell(step.alerts) == ["63 evidence material", "65 expired material", "100 fired severe"]


def test_memory_is_bounded_and_given_back() -> None:
    watch = engine(events_max=10)
    for number in range(50):
        say(watch, f"d{number}", 0.1, number, entity=f"E{number % 2}")
    assert (watch.subjects, watch.events, watch.dropped) == (2, 20, 30)
    until(watch, 50 + 60 + 3600 + 120)
    assert (watch.subjects, watch.events) == (0, 0)


def test_an_event_that_had_to_go_leaves_the_windows() -> None:
    watch = engine(events_max=2)
    say(watch, "bad", 0.95, 1)
    say(watch, "d1", 0.1, 2)
    assert tell(say(watch, "d2", 0.1, 3).alerts) == ["3 cleared severe"]


def test_replaced_rules() -> None:
    watch = engine(SHOCK + SHOCK.replace("shock", "same") + SHOCK.replace("shock", "gone"))
    say(watch, "d1", 0.7, 5)
    changed = SHOCK.replace("material = 0.6", "material = 0.65")
    alerts = replaced(watch, START_MS + 6_000, by=rules(changed + SHOCK.replace("shock", "same")))
    told = [(alert.rule, alert.reason) for alert in alerts]
    assert told == [("gone", "rule_removed"), ("shock", "rule_changed"), ("shock", "fired")]
    assert alerts[1].alert_id != alerts[2].alert_id
    assert sorted(alert.rule for alert in watch.open_alerts()) == ["same", "shock"]
    assert replaced(watch, START_MS + 7_000, by=rules(changed + SHOCK.replace("shock", "same"))) == ()


def test_replaced_watchlist() -> None:
    watch = engine(extra='match = { groups = ["banks"] }')
    say(watch, "d1", 0.7, 5)
    left = {"ACME": msgspec.structs.replace(WATCHLIST["ACME"], groups=())}
    assert tell(replaced(watch, START_MS + 6_000, watchlist=left)) == ["6 entity_removed material"]
    assert tell(replaced(watch, START_MS + 7_000, watchlist=WATCHLIST)) == ["7 fired material"]
    assert tell(replaced(watch, START_MS + 8_000, watchlist={})) == ["8 entity_removed material"]
    assert (watch.subjects, watch.open_alerts()) == (0, ())


@pytest.mark.parametrize(
    ("ms", "said"),
    [(90_000, "90 s"), (900_000, "15 min"), (21_600_000, "6 h"), (86_400_000, "24 h"), (172_800_000, "2 d")],
)
def test_durations_are_said_as_people_say_them(ms: int, said: str) -> None:
    assert span(ms) == said


def test_what_its_sources_raised_is_not_lowered_while_they_stand() -> None:
    watch = engine(SHOCK + "sources_raise = { material = 2, severe = 3 }\nlower_after_s = 10\n")
    told = [say(watch, f"d{n}", 0.4, at_s, source=f"s{n % 2}").alerts for n, at_s in enumerate((0, 1, 2, 13, 24))]
    assert [tell(alerts) for alerts in told[:2]] == [["0 fired watch"], ["1 raised material"]]
    assert {alert.severity for alerts in told[1:] for alert in alerts} == {"material"}
