"""What each shape makes of a story. A story is (second, document, fields); a rule's changes are told by second."""

import pytest

from riskstream.core.records import Alert
from tests.core.signals import START_MS, engine, make_signal

Story = list[tuple[float, dict[str, object]]]


def told(rule: str, story: Story, until_s: float) -> list[str]:
    """Each change as `second reason severity value`; mere evidence is left out."""
    watch = engine(f'[[rule]]\nname = "r"\n{rule}')
    alerts: list[Alert] = []
    for number, (at_s, fields) in enumerate(story):
        signal = make_signal(f"d{number}", at_s=at_s, **{"risk_score": 0.5, **fields})
        alerts += watch.on_signal(signal, START_MS + round(at_s * 1000)).alerts
    alerts += watch.on_time(START_MS + round(until_s * 1000))
    return [
        f"{(_second(alert)):g} {alert.reason} {alert.severity} {alert.value:g}"
        for alert in alerts
        if alert.reason != "evidence"
    ]


def _second(alert: Alert) -> float:
    hours, minutes, seconds = alert.updated_at[11:23].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def times(*seconds: float, **fields: object) -> Story:
    return [(second, fields) for second in seconds]


FREQUENCY = 'shape = "frequency"\nwindow_s = 60\nlimits = { watch = 3, severe = 5 }\nclear = 2\n'
SPIKE = 'shape = "spike"\nwindow_s = 10\nbaseline_s = 100\nwarm_up_s = 40\nlimit = 3\nclear = 2\n'
STEADY = times(*range(0, 100, 5))
"""Two texts in each window of ten seconds."""
NEW = 'shape = "new"\nmatch = { risk_score_min = 0.7 }\nwindow_s = 20\nmemory_s = 100\nwarm_up_s = 50\n'
BAD: dict[str, object] = {"risk_score": 0.9}
SEQUENCE = (
    'shape = "sequence"\nwindow_s = 60\nlimits = { watch = 1, severe = 2 }\n'
    'steps = [{ kinds = ["social"] }, { kinds = ["filing"] }]\n'
)
FLATLINE = 'shape = "flatline"\nheard_min = 2\nwindow_s = 60\nlimits = { watch = 30, severe = 90 }\nforget_s = 300\n'
RUMOUR, FILING = {"kind": "social"}, {"kind": "filing"}

STORIES: list[tuple[str, Story, float, list[str], str]] = [
    (FREQUENCY, times(1, 2), 200, [], "two are not three"),
    (FREQUENCY, times(1, 2, 3), 200, ["3 fired watch 3", "62 cleared watch 1"], "three signals within a minute"),
    (FREQUENCY, times(1, 2, 90), 200, [], "three, but not within a minute"),
    (FREQUENCY, times(1, 2, 3, 4, 5), 5, ["3 fired watch 3", "5 raised severe 5"], "five are worse"),
    (FREQUENCY + 'of = "sources"', times(1, 2, 3, 4), 50, [], "four texts of one source are one source"),
    (FREQUENCY + "at_least = 0.6", times(1, 2, 3, 4), 50, [], "what does not support is not counted"),
    (SPIKE, times(0, 1, 2, 3, 4, 5, 6, 7), 8, [], "no history, no spike"),
    (SPIKE, STEADY, 100, [], "as always"),
    (
        SPIKE,
        [*STEADY, *times(100.1, 100.2, 100.3, 100.4, 100.5, 100.6)],
        150,
        ["100.5 fired material 3", "111 expired material 0"],
        "three times the usual two, and over when the window is empty",
    ),
    (
        SPIKE + "baseline_min = 4",
        [*STEADY, *times(*(100 + n / 10 for n in range(8)))],
        101,
        [],
        "a least baseline: two to ten is no spike where four are nothing",
    ),
    (
        SPIKE,
        [*STEADY, *times(*(100 + n / 10 for n in range(9)), model="m@2")],
        101,
        [],
        "another model: the baseline of the old one means nothing",
    ),
    (
        SPIKE.replace("limit = 3", 'limit = 3\nscale = "deviations"\nbaseline_min = 1'),
        [*STEADY, *times(100.1, 100.2, 100.3, 100.4)],
        101,
        ["100.4 fired material 3"],
        "three deviations, of at least one, above the mean of two",
    ),
    (NEW, times(60, **BAD), 100, [], "the lane itself has just begun: it cannot know what is new"),
    (NEW, [(0, {}), (60, BAD)], 100, ["60 fired material 1", "80 expired material 0"], "the first bad text"),
    (NEW, [(0, {}), (30, BAD), (60, BAD)], 100, [], "within the warm-up it is learnt, and not new after it"),
    (
        NEW,
        [(0, {}), (60, BAD), (130, BAD), (300, BAD)],
        310,
        ["60 fired material 1", "80 expired material 0", "300 fired material 1"],
        "new again when nothing of the kind came for memory_s",
    ),
    (
        NEW + 'of = "source"',
        [(0, {}), (60, BAD), (85, BAD), (90, {**BAD, "source": "blog"})],
        91,
        ["60 fired material 1", "80 expired material 0", "90 fired material 1"],
        "each source is a kind of its own",
    ),
    (
        NEW + 'of = "category"',
        [(0, {}), (60, {**BAD, "risk": {"fraud": 0.9, "credit": 0.2}}), (85, {**BAD, "risk": {"credit": 0.9}})],
        86,
        ["60 fired material 1", "80 expired material 0", "85 fired material 1"],
        "the strongest category is the kind",
    ),
    (NEW, [(0, {}), (60, {**BAD, "model": "m@2"})], 100, [], "a new model sees other things: warm up again"),
    (SEQUENCE, [(1, FILING), (2, RUMOUR)], 3, ["2 fired watch 1"], "in the wrong order it is one step"),
    (
        SEQUENCE,
        [(1, RUMOUR), (5, FILING)],
        100,
        ["1 fired watch 1", "5 raised severe 2", "61 cleared severe 0"],
        "one, then the other",
    ),
    (SEQUENCE, [(1, RUMOUR), (70, FILING)], 100, ["1 fired watch 1", "61 expired watch 0"], "too late"),
    (FLATLINE, times(1), 200, [], "heard once is not heard"),
    (FLATLINE, times(1, 100), 200, [], "twice, but not within window_s"),
    (
        FLATLINE,
        times(1, 11, 120),
        140,
        ["41 fired watch 30", "101 raised severe 90", "120 cleared severe 0"],
        "silent from 11 to 120",
    ),
    (
        FLATLINE,
        times(1, 11),
        400,
        ["41 fired watch 30", "101 raised severe 90", "311 expired severe 0"],
        "silent for so long that it is gone",
    ),
]


@pytest.mark.parametrize(("rule", "story", "until_s", "lines", "says"), STORIES, ids=[case[4] for case in STORIES])
def test_story(rule: str, story: Story, until_s: float, lines: list[str], says: str) -> None:
    assert told(rule, story, until_s) == lines, says


@pytest.mark.parametrize(
    ("rule", "story", "until_s", "summary"),
    [
        (
            SPIKE,
            [*STEADY, *times(*(100 + n / 10 for n in range(5)))],
            101,
            "Acme Corporation: material. Signals with risk_score 6 over 10 s, 3 times the usual 2 (limit 3); ",
        ),
        (
            SEQUENCE,
            [(1, RUMOUR), (5, FILING)],
            9,
            "Acme Corporation: severe. 2 of 2 steps in their order within 1 min ",
        ),
        (FLATLINE, times(1, 11), 101, "Acme Corporation: severe. Silent for 90 s (limit 90); "),
    ],
)
def test_summaries(rule: str, story: Story, until_s: int, summary: str) -> None:
    watch = engine(f'[[rule]]\nname = "r"\n{rule}')
    for number, (at_s, fields) in enumerate(story):
        watch.on_signal(make_signal(f"d{number}", at_s=at_s, **fields), START_MS + round(at_s * 1000))
    watch.on_time(START_MS + until_s * 1000)
    (alert,) = watch.open_alerts()
    assert alert.summary.startswith(summary), alert.summary


def test_the_evidence_of_a_sequence_is_its_steps() -> None:
    watch = engine(f'[[rule]]\nname = "r"\n{SEQUENCE}')
    story = [(1, RUMOUR), (2, {**RUMOUR, "risk_score": 0.99}), (5, FILING), (6, FILING)]
    for number, (at_s, fields) in enumerate(story):
        watch.on_signal(make_signal(f"d{number}", at_s=at_s, **fields), START_MS + at_s * 1000)
    (alert,) = watch.open_alerts()
    assert [evidence.title for evidence in alert.evidence] == ["title of d0", "title of d2"]


def test_a_revision_of_what_was_new_is_new_too() -> None:
    watch = engine(f'[[rule]]\nname = "r"\n{NEW}')
    watch.on_signal(make_signal("d0", at_s=0, risk_score=0.1), START_MS)
    for version in range(2):
        signal = make_signal("d1", at_s=60 + version, risk_score=0.9, text=f"v{version}", position=f"p{version}")
        watch.on_signal(signal, START_MS + 60_000 + version * 1000)
    assert [alert.documents for alert in watch.open_alerts()] == [1]


def test_firings_beyond_the_limit_a_minute_are_held_counted_and_told_when_there_is_room() -> None:
    rule = 'field = "risk_score"\naggregate = "max"\nwindow_s = 200\nlimit = 0.6\nalerts_per_minute_max = 2\n'
    watch = engine(f'[[rule]]\nname = "r"\n{rule}')
    for number in range(4):
        watch.on_signal(make_signal(f"d{number}", at_s=number, entity=f"E{number}"), START_MS + number * 1000)
    assert [alert.subject.id for alert in watch.open_alerts()] == ["E0", "E1"]
    assert watch.takers.held() == {("r", "limit"): 2}
    later = watch.on_time(START_MS + 70_000)
    assert [(alert.subject.id, alert.reason, alert.sequence, _second(alert)) for alert in later] == [
        ("E2", "fired", 1, 60),
        ("E3", "fired", 1, 61),
    ]
    assert [alert.starts_at[17:19] for alert in later] == ["02", "03"], "they began when they began"


def test_what_ends_while_it_is_held_was_never_told() -> None:
    rule = 'field = "risk_score"\naggregate = "max"\nwindow_s = 30\nlimit = 0.6\nalerts_per_minute_max = 1\n'
    watch = engine(f'[[rule]]\nname = "r"\n{rule}')
    for number in range(2):
        watch.on_signal(make_signal(f"d{number}", at_s=number, entity=f"E{number}"), START_MS + number * 1000)
    assert [alert.subject.id for alert in watch.on_time(START_MS + 300_000)] == ["E0"]


def test_a_cooldown_grows_and_what_it_holds_back_is_counted() -> None:
    rule = (
        'field = "risk_score"\naggregate = "max"\nwindow_s = 1\nlimit = 0.6\n'
        "cooldown_s = 10\ncooldown_backoff = 2\ncooldown_s_max = 30\n"
    )
    story = times(*range(0, 200, 3), risk_score=0.9)
    lines = [line for line in told(rule, story, 200) if "fired" in line]
    assert [int(line.split()[0]) for line in lines] == [0, 12, 33, 66, 99, 132, 165, 198]
    watch = engine(f'[[rule]]\nname = "r"\n{rule}')
    for number in range(5):
        watch.on_signal(make_signal(f"d{number}", at_s=3 * number), START_MS + 3000 * number)
    assert watch.takers.held() == {("r", "cooldown"): 1}, "three texts while it cooled, counted once"
