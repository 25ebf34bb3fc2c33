"""How far a model's answers have moved."""

from __future__ import annotations

import math
import random

import pytest

from riskstream.core.drift import HEADS, SIGNALS, Drift, answer_of, stability_index
from tests.core.signals import make_signal

ALERT_LIMIT = 0.25
"""Of `RiskstreamScoreDrift`."""


def heard(drift: Drift, count: int, *, bad: float, seed: int = 7, model: str = "finrisk@1") -> None:
    """So many signals, of which a share is bad news."""
    chance = random.Random(seed)
    for _ in range(count):
        p = 0.9 if chance.random() < bad else 0.1
        drift.add(make_signal(sentiment={"negative": p, "positive": 1 - p}, risk={"legal": p}, model=model))


def test_nothing_is_said_before_both_samples_are_full() -> None:
    drift = Drift(signals=50)
    heard(drift, 99, bad=0.2)
    assert drift.distances() == {}
    heard(drift, 1, bad=0.2)
    assert set(drift.distances()) == set(HEADS)


def test_the_same_stream_stays_and_another_stream_moves_beyond_the_limit_of_the_alert() -> None:
    drift = Drift()
    heard(drift, 3 * SIGNALS, bad=0.2)
    assert max(drift.distances().values()) < 0.02
    heard(drift, SIGNALS, bad=0.5, seed=8)
    moved = drift.distances()
    assert moved["sentiment"] > ALERT_LIMIT
    assert moved["risk"] > ALERT_LIMIT
    assert moved["topic"] == 0


def test_what_comes_back_is_near_again() -> None:
    drift = Drift(signals=500)
    for bad in (0.2, 0.2, 0.6, 0.2):
        heard(drift, 500, bad=bad)
    assert drift.distances()["sentiment"] == pytest.approx(0, abs=1e-9)


def test_another_version_begins_anew() -> None:
    drift = Drift(signals=50)
    heard(drift, 100, bad=0.2)
    heard(drift, 99, bad=0.9, model="finrisk@2")
    assert drift.distances() == {}
    heard(drift, 1, bad=0.9, model="finrisk@2")
    assert drift.distances()["sentiment"] < ALERT_LIMIT


def test_memory_does_not_grow() -> None:
    drift = Drift(signals=50)
    heard(drift, 5_000, bad=0.5)
    assert len(drift._recent) == 50
    assert all(sum(counts.values()) == 50 for counts in (*drift._first.values(), *drift._last.values()))


@pytest.mark.parametrize(
    ("first", "last", "index"),
    [
        ({"a": 50, "b": 50}, {"a": 5, "b": 5}, 0.0),
        ({"a": 50, "b": 50}, {"a": 75, "b": 25}, 0.25 * math.log(1.5) - 0.25 * math.log(0.5)),
        ({"a": 99, "gone": 0}, {"a": 99, "gone": 0}, 0.0),
    ],
)
def test_the_index_of_two_counts(first: dict[str, int], last: dict[str, int], index: float) -> None:
    assert stability_index(first, last) == pytest.approx(index)
    assert stability_index(last, first) == pytest.approx(index)


def test_a_label_that_was_never_seen_is_far_and_finite() -> None:
    assert 1 < stability_index({"a": 1_000}, {"b": 1_000}) < 20


def test_of_risks_that_are_all_unlikely_the_answer_is_none() -> None:
    signal = make_signal(
        sentiment={"negative": 0.4, "neutral": 0.6}, severity={"none": 1.0}, risk={"legal": 0.4, "fraud": 0.3}, topic={}
    )
    assert answer_of(signal) == ("neutral", "none", "", "")
