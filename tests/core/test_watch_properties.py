"""The engine of a lane, for any story: judged when due or at every tick, told the time often or seldom, fed twice."""

from collections.abc import Iterator

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from riskstream.core.records import Alert, Signal, Watched
from riskstream.core.watching.desk import Desk
from riskstream.core.watching.watch import Step
from tests.core.signals import START_MS, make_signal, rules

EVERYTHING = """
[[rule]]
denied_hold_s = 20
name = "decayed"
field = "risk_score"
aggregate = "decayed_mean"
half_life_s = 5
window_s = 20
limits = { watch = 0.4, severe = 0.8 }
for_s = 3
keep_firing_for_s = 4
cooldown_s = 6
update_s = 5
[[rule]]
denied_hold_s = 20
name = "mean"
field = "risk_score"
aggregate = "mean"
window_s = 12
limits = { watch = 0.5, material = 0.7 }
clear = 0.3
lower_after_s = 4
sources_min = { material = 2 }
sources_raise = { material = 3 }
update_s = 3
[[rule]]
denied_hold_s = 20
name = "top"
match = { sources = ["wire", "blog"] }
field = "risk_score"
aggregate = "max"
window_s = 9
limits = { watch = 0.4, material = 0.7, severe = 0.9 }
clear = { aggregate = "decayed_mean", window_s = 30, half_life_s = 6, limit = 0.3 }
for_s = 1
lower_after_s = 7
unconfirmed_max = "material"
update_s = 4
[[rule]]
denied_hold_s = 20
name = "voices"
aggregate = "count"
at_least = 0.5
window_s = 15
limits = { watch = 2, severe = 4 }
clear = 1
keep_firing_for_s = 2
cooldown_s = 3
cooldown_backoff = 2
update_s = 2
alerts_per_minute_max = 1
[[rule]]
denied_hold_s = 20
name = "share"
aggregate = "ratio"
at_least = 0.5
denominator_min = 2
window_s = 14
limits = { watch = 0.5, severe = 0.8 }
[[rule]]
denied_hold_s = 20
name = "upper"
aggregate = "percentile"
percentile = 75
field = "risk_score"
window_s = 14
limits = { watch = 0.5, severe = 0.8 }
update_s = 3
[[rule]]
denied_hold_s = 20
name = "often"
shape = "frequency"
of = "sources"
at_least = 0.2
window_s = 10
limits = { watch = 2, severe = 3 }
[[rule]]
denied_hold_s = 20
name = "burst"
shape = "spike"
at_least = 0.2
window_s = 5
baseline_s = 40
baseline_min = 0.1
warm_up_s = 12
limits = { watch = 2, severe = 4 }
clear = 1.5
update_s = 2
[[rule]]
denied_hold_s = 20
name = "worse"
shape = "spike"
aggregate = "mean"
scale = "deviations"
field = "risk_score"
window_s = 4
baseline_s = 60
warm_up_s = 0
limit = 1.2
[[rule]]
denied_hold_s = 20
name = "unheard"
shape = "new"
of = "source"
field = "risk_score"
aggregate = "max"
window_s = 8
memory_s = 30
warm_up_s = 5
limits = { watch = 0.2, severe = 0.9 }
[[rule]]
denied_hold_s = 20
name = "first"
shape = "new"
match = { risk_score_min = 0.7 }
window_s = 6
memory_s = 20
warm_up_s = 0
[[rule]]
denied_hold_s = 20
name = "then"
shape = "sequence"
steps = [{ sources = ["blog"] }, { sources = ["wire", "press"], risk_score_min = 0.4 }, { sources = ["blog"] }]
window_s = 20
limits = { watch = 2, severe = 3 }
for_s = 1
[[rule]]
name = "silent"
shape = "flatline"
window_s = 30
heard_min = 2
limits = { watch = 6, severe = 12 }
forget_s = 40
update_s = 4
[[rule]]
name = "basket"
by = "portfolio"
field = "risk_score"
aggregate = "mean"
at_least = 0.1
window_s = 12
limits = { watch = 0.2, severe = 0.6 }
update_s = 3
[[rule]]
name = "herd"
by = "group"
shape = "spike"
window_s = 6
baseline_s = 48
baseline_min = 0.2
warm_up_s = 5
limits = { watch = 1.5, severe = 3 }
[[rule]]
name = "mood"
by = "market"
aggregate = "ratio"
at_least = 0.5
denominator_min = 3
window_s = 15
limits = { watch = 0.4, severe = 0.7 }
[[rule]]
name = "quiet-source"
by = "source"
shape = "flatline"
window_s = 30
heard_min = 2
limits = { watch = 5, severe = 15 }
forget_s = 45
update_s = 4
[[inhibit]]
source = { severities = ["severe"] }
target = { severities = ["watch"] }
[[silence]]
match = { rules = ["top", "often", "burst"], subjects = ["A"] }
from = 2026-03-09T00:00:20Z
until = 2026-03-09T00:00:45.500Z
comment = "in the middle of a story"
[[quiet_hours]]
match = { severities = ["watch", "material"], rules = ["mean", "unheard", "silent"] }
from = "00:01"
to = "00:02"
zone = "UTC"
"""


PEOPLE = {"A": Watched("A", "A Corp", groups=("g",), weight=3), "B": Watched("B", "B Corp", groups=("g",), parent="A")}


def desk() -> Desk:
    """Both kinds of lanes under every rule."""
    return Desk(rules(EVERYTHING), PEOPLE)


def every_tick() -> Desk:
    """Judges every cell at every tick."""
    made = desk()
    made.entities.ticks.due_ms = lambda cell: made.entities.clock_ms + 1
    made.others.ticks.due_ms = lambda cell: made.others.clock_ms + 1
    return made


SIGNALS = st.lists(
    st.tuples(
        st.integers(0, 8_000),  # after the one before, ms
        st.integers(-2_000, 25_000),  # published so long before it came, ms
        st.sampled_from(["A", "B"]),
        st.sampled_from([f"d{number}" for number in range(12)]),
        st.sampled_from(["t1", "t2", "t3"]),
        st.sampled_from(["wire", "blog", "press"]),
        st.sampled_from([0.0, 0.2, 0.45, 0.6, 0.75, 0.95, 1.0]),
    ),
    max_size=25,
)


def signals_of(story: list[tuple]) -> Iterator[tuple[Signal, int]]:
    """The signals of a story, each with its append time. The blog is where everybody writes; where the press finds no
    harm it clears."""
    now_ms = START_MS
    for number, (gap_ms, ago_ms, entity, document, text, source, score) in enumerate(story):
        now_ms += gap_ms
        at_s = (now_ms - ago_ms - START_MS) / 1000
        telling = {
            "kind": "social" if source == "blog" else "news",
            "stance": "settled" if source == "press" and not score else "report",
            "severity": {"material" if score >= 0.6 else "none": 1.0},
        }
        fields = {"text": text, "source": source, "risk_score": score, "position": f"p{number}", **telling}
        yield make_signal(document, at_s=at_s, entity=entity, **fields), now_ms


def replay(watch: Desk, story: list[tuple], *, pause_every: int = 0, copies: int = 0) -> list[Alert]:
    before_ms = now_ms = START_MS
    alerts: list[Alert] = []
    for number, (signal, now_ms) in enumerate(signals_of(story)):
        if pause_every and number % pause_every == 0:
            alerts += watch.on_time((before_ms + now_ms) // 2)
        before_ms = now_ms
        alerts += watch.on_signal(signal, now_ms).alerts
        for copy in range(copies):
            elsewhere = msgspec.structs.replace(signal, signal_id=f"copy {copy} of {signal.signal_id}")
            assert watch.on_signal(signal, now_ms) == watch.on_signal(elsewhere, now_ms) == Step((), "duplicate")
    told = [*alerts, *watch.on_time(now_ms + 90_000)]
    return sorted(told, key=lambda alert: alert.subject.by != "entity")


RAISED_BY_SOURCES = [
    (0, 0, "A", "d0", "t2", "blog", 0.6),
    (0, 0, "A", "d1", "t3", "wire", 0.6),
    (0, 0, "A", "d2", "t1", "press", 0.6),
]


@settings(max_examples=100, deadline=None)
@example(RAISED_BY_SOURCES)
@given(SIGNALS)
def test_judging_when_due_equals_judging_at_every_tick(story: list[tuple]) -> None:
    assert replay(desk(), story) == replay(every_tick(), story)


@settings(max_examples=100, deadline=None)
@given(SIGNALS, st.integers(1, 4))
def test_it_does_not_matter_how_often_the_time_is_told(story: list[tuple], pause_every: int) -> None:
    assert replay(desk(), story) == replay(desk(), story, pause_every=pause_every)


@settings(max_examples=100, deadline=None)
@given(SIGNALS)
def test_signals_that_are_delivered_twice_change_no_alert(story: list[tuple]) -> None:
    assert replay(desk(), story, copies=2) == replay(desk(), story)


@settings(max_examples=100, deadline=None)
@given(SIGNALS)
def test_every_alert_begins_once_counts_by_one_and_ends_once(story: list[tuple]) -> None:
    lives: dict[str, list[Alert]] = {}
    standing: dict[tuple[str, str], str] = {}
    for alert in replay(desk(), story):
        lives.setdefault(alert.alert_id, []).append(alert)
        where = (alert.rule, alert.subject.key)
        assert standing.setdefault(where, alert.alert_id) == alert.alert_id, "one episode at a time"
        if alert.state == "resolved":
            del standing[where]
    for life in lives.values():
        assert [alert.sequence for alert in life] == list(range(1, len(life) + 1))
        assert [alert.state for alert in life] == ["firing", *["updated"] * (len(life) - 2), "resolved"][: len(life)]
        assert [alert.updated_at for alert in life] == sorted(alert.updated_at for alert in life)


def test_every_shape_says_something() -> None:
    """The stories above are short: this one makes sure that no rule is quiet in all of them."""
    story = [(900, 0, "A", f"d{n}", f"t{n}", ("wire", "blog", "press")[n * n % 3], 0.2) for n in range(40)]
    story += [(20_000, 0, "A", "e0", "u", "agency", 0.9)]
    story += [(300, 0, "A", f"f{n}", f"v{n}", ("wire", "blog")[n % 2], 0.95) for n in range(12)]
    told = {alert.rule for alert in replay(desk(), story)}
    assert told == {rule.name for rule in rules(EVERYTHING).rules}


def test_a_replay_gives_the_same_bytes() -> None:
    story = [(3_000, 0, "A", f"d{n}", f"t{n % 5}", "wire" if n % 2 else "blog", 0.95 - n / 40) for n in range(20)]
    first, second = (msgspec.json.encode(replay(desk(), story)) for _ in range(2))
    assert first == second
    assert len(first) > 1000
