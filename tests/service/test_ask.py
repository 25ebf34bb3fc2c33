"""Texts that somebody asks about: what is told of them, and where it stands in the text as it was sent."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from riskstream.core.passages import WindowLimits
from riskstream.scoring.worker import Worker
from riskstream.service.ask import Desk, score_chunk, score_pairs
from riskstream.service.question import Wishes
from tests.support.weighing import Weighing

SCORER = Weighing({"defaulted": 4.0, "insolvent": 6.0, "cured": -1.0}, base=-2.0, tokens_max=200)
DESK = Desk(WindowLimits(tokens_max=0, overlap=40))
CALM = "The parties meet &amp; talk every quarter in Ｌｏｎｄｏｎ. "
LONG = CALM * 30 + "The Guarantor has defaulted. " + CALM * 300 + "The Borrower is insolvent. " + CALM * 30


def ask(text: str, entity: str = "", **wishes: bool) -> dict[str, Any]:
    (told,) = score_chunk(
        [json.dumps({"text": text, "entity": entity, "id": 7}).encode()], SCORER, DESK, Wishes(**wishes)
    )
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(told))
    return found


def test_a_short_text_has_its_scores_alone() -> None:
    told = ask("Acme has defaulted.", "Acme")
    assert list(told) == ["id", "entity", "sentiment", "severity", "risk", "topic", "risk_score", "model"]


def test_the_words_that_tell_are_placed_in_the_text_as_it_was_sent() -> None:
    text = "Acme &amp; Bolt: Ａｃｍｅ has ｄｅｆａｕｌｔｅｄ, not cured"
    told = ask(text, "Acme", explain=True)
    assert [(text[start:end], weight) for start, end, weight in told["spans"]] == [
        ("ｄｅｆａｕｌｔｅｄ", pytest.approx(4.0)),
        ("cured", pytest.approx(-1.0)),
    ]


def test_of_a_long_text_the_worst_window_speaks() -> None:
    told = ask(LONG)
    place = told["passage"]
    assert "is insolvent" in LONG[place["start"] : place["end"]]
    assert place["end"] - place["start"] <= 260 and place["windows"] > 80 and place["left_out"] == 0
    assert told["risk_score"] == pytest.approx(0.982, abs=0.001)


def test_risky_passages_come_back_in_order() -> None:
    told = ask(LONG, passages=True, explain=True)
    found = [(LONG[one["start"] : one["end"]], one) for one in told["passages"]]
    assert [("defaulted" in sent, "insolvent" in sent) for sent, _ in found] == [(True, False), (False, True)]
    for sent, one in found:
        assert one["text"].startswith("The") and "&" in one["text"] and "&amp;" in sent
        assert one["risk_score"] >= 0.5 and set(one) == {
            "start",
            "end",
            "text",
            "risk_score",
            "severity",
            "risk",
            "spans",
        }
        assert [LONG[start:end] for start, end, _ in one["spans"]] in (["defaulted"], ["insolvent"])


def test_a_named_entity_is_read_where_it_is_named() -> None:
    told = ask(LONG.replace("The Guarantor", "Acme"), "Acme", passages=True)
    assert ["defaulted" in one["text"] for one in told["passages"]] == [True]
    assert told["passage"]["windows"] <= 4


def test_only_so_many_windows_are_read() -> None:
    desk = Desk(WindowLimits(tokens_max=0, overlap=40, windows_max=10))
    (told,) = score_chunk([json.dumps({"text": LONG}).encode()], SCORER, desk)
    place = msgspec.json.decode(msgspec.json.encode(told))["passage"]
    assert place["windows"] == 10 and place["left_out"] > 70


async def test_programs_get_the_same_answers() -> None:
    worker = Worker(SCORER)
    try:
        wishes = [Wishes(explain=True, passages=True), Wishes()]
        found = await score_pairs(worker, DESK, [("", LONG), ("Acme", "Acme has defaulted.")], wishes)
    finally:
        await worker.close()
    told = [json.loads(msgspec.json.encode(one)) for one in found]
    assert told[0] == {
        key: value for key, value in ask(LONG, explain=True, passages=True).items() if key not in ("id", "entity")
    }
    assert "spans" not in told[1]
