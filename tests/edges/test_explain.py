"""Explanations, on the shipped weights and the packaged feed: the words that are named are the words that tell."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pytest

from riskstream.core.passages import logit
from riskstream.core.ports import Scorer
from riskstream.core.reading.attribution import Reading, Spans, candidates, without
from riskstream.core.reading.entities import Matcher
from riskstream.core.reading.text import clean, compose
from riskstream.core.reading.watchlist import parse_watchlist
from riskstream.core.records import Encoded, Partition, Ticket
from riskstream.scoring.explain import ExplainLimits, LeaveOut
from riskstream.scoring.plain import ConstantScorer
from riskstream.scoring.torch_backend import TorchScorer
from tests.support.weighing import Weighing

ROOT = Path(__file__).parents[2]
LIMITS = ExplainLimits(words_max=8, spans_max=4)
TEXTS = 6
DRAWS = 2
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def shipped() -> TorchScorer:
    versions = ROOT / "models" / "finrisk"
    return TorchScorer.load(versions / (versions / "champion").read_text().strip(), device="cpu")


@pytest.fixture(scope="module")
def adverse(shipped: TorchScorer) -> list[Reading]:
    """Short texts of the packaged feed, in both languages, that the model takes for bad news of a watched entity."""
    matcher = Matcher(parse_watchlist((ROOT / "config" / "watchlist.csv").read_text(), "watchlist.csv"))
    lines = (resources.files("riskstream.packaged") / "three-days.jsonl").read_text().splitlines()
    readings, found = [], list[Reading]()
    for line in lines[80:200]:
        document = json.loads(line)
        text = compose(clean(document.get("title", "")).strip(), clean(document["text"]).strip())
        if len(text) < 200:
            readings += [Reading(mention.mention, text) for mention in matcher.find(text).mentions[:1]]
    while len(found) < TEXTS and readings:
        some, readings = readings[:16], readings[16:]
        found += [reading for reading, score in zip(some, log_odds(shipped, some), strict=True) if score > 0]
    assert len(found) >= TEXTS
    return found[:TEXTS]


def log_odds(scorer: Scorer, readings: Sequence[Reading]) -> list[float]:
    rows = scorer.encode([(reading.entity, reading.text) for reading in readings])
    items = [Encoded(Ticket(Partition("x", 0), 0, place), 0, row) for place, row in enumerate(rows)]
    scores = [scorer.score(items[start : start + 16]) for start in range(0, len(items), 16)]
    return [logit(found.risk_score) for some in scores for found in some]


def falls(scorer: Scorer, readings: Sequence[Reading], left_out: Sequence[Spans]) -> list[float]:
    """How much each score falls without these spans."""
    cut = [
        Reading(reading.entity, without(reading.text, [(start, end) for start, end, _ in spans]))
        for reading, spans in zip(readings, left_out, strict=True)
    ]
    before, after = log_odds(scorer, readings), log_odds(scorer, cut)
    return [one - other for one, other in zip(before, after, strict=True)]


def at_random(scorer: Scorer, reading: Reading, spans: Spans, seed: int) -> Spans:
    """As many words as the spans hold, drawn from those that might have been named."""
    words = candidates(reading, scorer.pieces(reading.text))
    count = sum(any(start <= word[0] < end for start, end, _ in spans) for word in words)
    return tuple((start, end, 0.0) for start, end in sorted(random.Random(seed).sample(words, count)))


def raising(spans: Spans) -> Spans:
    return tuple(span for span in spans if span[2] > 0)


def faithful(scorer: Scorer, readings: Sequence[Reading], found: Sequence[Spans]) -> bool:
    """Without the named words the scores fall twice as far as without as many others, and in four texts of five
    further."""
    named = falls(scorer, readings, found)
    drawn = [
        falls(scorer, readings, [at_random(scorer, *pair, seed) for pair in zip(readings, found, strict=True)])
        for seed in range(DRAWS)
    ]
    others = [sum(one) / len(drawn) for one in zip(*drawn, strict=True)]
    further = sum(one > other for one, other in zip(named, others, strict=True))
    return sum(named) > 2 * max(0.0, sum(others)) and sum(named) > 1.0 and further >= 0.8 * len(readings)


def test_the_named_words_move_the_score_more_than_others(shipped: TorchScorer, adverse: list[Reading]) -> None:
    found = [raising(spans) for spans in LeaveOut(shipped, LIMITS).explain(adverse)]
    assert all(1 <= len(spans) <= LIMITS.spans_max for spans in found)
    assert faithful(shipped, adverse, found)


def test_words_at_random_do_not_pass_for_telling(shipped: TorchScorer, adverse: list[Reading]) -> None:
    drawn = [
        at_random(
            shipped, reading, tuple((*word, 0.0) for word in candidates(reading, shipped.pieces(reading.text))[:3]), 9
        )
        for reading in adverse
    ]
    assert not faithful(shipped, adverse, drawn)


@pytest.mark.parametrize("filler", [0, 10, 300])
def test_leaving_out_finds_the_words_whatever_the_length(filler: int) -> None:
    scorer = Weighing({"skipped": 2.0, "coupon": 1.0, "denies": -1.0})
    quiet = "and so it went " * (filler // 4)
    reading = Reading("Acme", f"{quiet}Acme skipped one coupon {quiet}but denies {quiet}")
    (spans,) = LeaveOut(scorer, LIMITS).explain([reading])
    told = [(reading.text[start:end], weight) for start, end, weight in spans]
    if filler < 300:
        assert [weight for _, weight in told] == pytest.approx([2.0, 1.0, -1.0])
        assert all(word in text for word, (text, _) in zip(("skipped", "coupon", "denies"), told, strict=True))
    assert "skipped" in told[0][0]
    assert scorer.passes <= 3.5 * LIMITS.words_max


def test_the_worst_sentence_is_asked_and_what_two_sentences_say_is_not_lost() -> None:
    scorer = Weighing({"defaulted": 3.0, "warned": 1.0}, base=-1.0)
    twice = "Acme defaulted on Monday. Its rival was warned. On Friday Acme defaulted again. Rain is expected."
    (spans,) = LeaveOut(scorer, LIMITS).explain([Reading("Acme", twice)])
    assert [(twice[start:end], weight) for start, end, weight in spans] == [("defaulted", pytest.approx(3.0))]
    assert scorer.passes <= 10, "four sentences, and the words of one"


def test_where_no_sentence_tells_the_text_is_asked() -> None:
    class Together(Weighing):
        def said(self, item: Encoded) -> float:
            return 0.9 if {ord("X"), ord("Y")} <= set(item.tokens) else 0.1

    text = "One X here. One Y there. Nothing else."
    (spans,) = LeaveOut(Together({}), LIMITS).explain([Reading("", text)])
    assert ["X" in text[start:end] or "Y" in text[start:end] for start, end, _ in spans] == [True, True]


def test_words_that_tell_only_together_are_named_together() -> None:
    class Together(Weighing):
        def said(self, item: Encoded) -> float:
            left = {ord("h"), ord("v")} & set(item.tokens)
            return 0.9 if left else 0.1

    reading = Reading("", "one two pour four chapter eleven six ten")
    (spans,) = LeaveOut(Together({}), ExplainLimits(words_max=4, spans_max=3)).explain([reading])
    assert [reading.text[start:end] for start, end, _ in spans] == ["chapter eleven"]


def test_texts_without_words_are_explained_by_nothing(shipped: TorchScorer) -> None:
    for explainer in (LeaveOut(ConstantScorer(), LIMITS), LeaveOut(shipped, LIMITS)):
        assert explainer.explain([]) == []
        assert explainer.explain([Reading("Acme", "Acme"), Reading("", "?!")]) == [(), ()]


def test_an_explanation_does_not_depend_on_its_company(shipped: TorchScorer, adverse: list[Reading]) -> None:
    explainer = LeaveOut(shipped, LIMITS)
    (alone,) = explainer.explain(adverse[:1])
    together = explainer.explain(adverse[:3])[0]
    assert [span[:2] for span in alone] == [span[:2] for span in together]
    assert [span[2] for span in alone] == pytest.approx([span[2] for span in together], abs=0.005)
