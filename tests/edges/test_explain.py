"""Explanations, on the shipped weights and the packaged feed: the words that are named are the words that tell."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pytest

from riskstream.core.attribution import Reading, Spans, candidates, without
from riskstream.core.entities import Matcher
from riskstream.core.passages import logit
from riskstream.core.ports import Explainer, Scorer
from riskstream.core.records import Encoded, Partition, Ticket
from riskstream.core.text import clean, compose
from riskstream.core.watchlist import parse_watchlist
from riskstream.scoring.explain import ROUNDS, ExplainLimits, LeaveOut, explainer_of
from riskstream.scoring.explain_torch import IntegratedGradients
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


@pytest.mark.parametrize("kind", ["gradients", "leaving out"])
def test_the_named_words_move_the_score_more_than_others(
    kind: str, shipped: TorchScorer, adverse: list[Reading]
) -> None:
    explainer: Explainer = LeaveOut(shipped, LIMITS) if kind == "leaving out" else explainer_of(shipped, LIMITS)
    assert isinstance(explainer, IntegratedGradients) == (kind == "gradients")
    found = [raising(spans) for spans in explainer.explain(adverse)]
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
def test_leaving_out_finds_each_weight_whatever_the_length(filler: int) -> None:
    scorer = Weighing({"skipped": 2.0, "coupon": 0.5, "denies": -1.0})
    quiet = "and so it went " * (filler // 4)
    reading = Reading("Acme", f"{quiet}Acme skipped one coupon {quiet}but denies {quiet}")
    (spans,) = LeaveOut(scorer, ExplainLimits(words_max=16, spans_max=3)).explain([reading])
    told = [(reading.text[start:end], weight) for start, end, weight in spans]
    if filler < 300:
        heavy = [("skipped", pytest.approx(2.0)), ("coupon", pytest.approx(0.5)), ("denies", pytest.approx(-1.0))]
        assert told == heavy
    else:
        assert told == [("skipped one coupon and", pytest.approx(2.5)), ("but denies and so it", pytest.approx(-1.0))]
    assert scorer.passes <= ROUNDS * 16 + 1


def test_words_that_tell_only_together_are_named_together() -> None:
    class Together(Weighing):
        def said(self, item: Encoded) -> float:
            left = {ord("h"), ord("v")} & set(item.tokens)
            return 0.9 if left else 0.1

    reading = Reading("", "one two pour four chapter eleven six ten")
    (spans,) = LeaveOut(Together({}), ExplainLimits(words_max=4, spans_max=3)).explain([reading])
    assert [reading.text[start:end] for start, end, _ in spans] == ["chapter eleven"]


def test_texts_without_words_are_explained_by_nothing(shipped: TorchScorer) -> None:
    for explainer in (LeaveOut(ConstantScorer(), LIMITS), explainer_of(shipped, LIMITS)):
        assert explainer.explain([]) == []
        assert explainer.explain([Reading("Acme", "Acme"), Reading("", "?!")]) == [(), ()]


def test_an_explanation_does_not_depend_on_its_company(shipped: TorchScorer, adverse: list[Reading]) -> None:
    explainer = explainer_of(shipped, LIMITS)
    (alone,) = explainer.explain(adverse[:1])
    together = explainer.explain(adverse[:3])[0]
    assert [span[:2] for span in alone] == [span[:2] for span in together]
    assert [span[2] for span in alone] == pytest.approx([span[2] for span in together], abs=0.005)
