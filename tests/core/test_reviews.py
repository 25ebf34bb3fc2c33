"""Which pairs are asked to be labelled, as a function of what was said about them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from riskstream.core.asking.reviews import Chosen, ReviewPolicy, cut, review, why
from tests.core.signals import make_signal
from tests.core.test_codec import DOCUMENT

SCHEMA = Path(__file__).parents[2] / "riskstream" / "schemas" / "label.json"
IDS = [f"wire/{number % 4}/{number}#ACME" for number in range(20_000)]
POLICY = ReviewPolicy(random_share=0.01, unsure_band=0.15, unsure_share=0.1, text_bytes_max=1_000)


def share(risk_score: float, reason: str, policy: ReviewPolicy = POLICY) -> float:
    found = [why(name, risk_score, policy) for name in IDS]
    return sum(chosen is not None and chosen.why == reason for chosen in found) / len(IDS)


@pytest.mark.parametrize(
    ("risk_score", "random", "unsure"),
    [
        (0.0, 0.01, 0.0),  # sure of nothing: only the even sample
        (0.349, 0.01, 0.0),  # just outside the band
        (0.351, 0.01, 0.1),
        (0.5, 0.01, 0.1),
        (0.649, 0.01, 0.1),
        (0.651, 0.01, 0.0),
        (1.0, 0.01, 0.0),
    ],
)
def test_a_share_of_all_and_a_share_of_the_unsure(risk_score: float, random: float, unsure: float) -> None:
    assert share(risk_score, "random") == pytest.approx(random, abs=0.003)
    assert share(risk_score, "unsure") == pytest.approx(unsure, abs=0.01)
    assert bool(share(risk_score, "unsure")) is bool(unsure)


def test_the_random_ones_are_the_same_whatever_the_score() -> None:
    chosen = [{name for name in IDS if why(name, score, POLICY) == Chosen("random", 0.01)} for score in (0.1, 0.5)]
    assert chosen[0] == chosen[1] != set()


@pytest.mark.parametrize(("part", "everything"), [(0.0, 0), (1.0, len(IDS))])
def test_none_and_all(part: float, everything: int) -> None:
    policy = msgspec.structs.replace(POLICY, random_share=part, unsure_share=0.0)
    assert sum(why(name, 0.5, policy) is not None for name in IDS) == everything


@pytest.mark.parametrize("text", ["short", "a" * 5_000, "某公司" * 900, "\x01" * 900, '"' * 999, "🙂" * 400])
def test_a_text_is_cut_to_its_bytes_as_json(text: str) -> None:
    kept = cut(text, 1_000)
    assert text.startswith(kept)
    assert len(msgspec.json.encode(kept)) <= 1_000
    assert kept == text or len(msgspec.json.encode(kept)) > 900


def test_a_review_asks_and_does_not_tell() -> None:
    one = make_signal(risk_score=0.5)
    asked = json.loads(msgspec.json.encode(review(DOCUMENT, one, Chosen("unsure", 0.1), POLICY)))
    schema = json.loads(SCHEMA.read_text())
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(asked)) == []
    assert asked["labels"] == {} and asked["annotator"] == ""
    assert (asked["signal_id"], asked["text"]) == (one.signal_id, DOCUMENT.text)
    assert (asked["why"], asked["sampling_rate"], asked["at"]) == ("unsure", 0.1, one.scored_at)
