"""Repeats are answered from memory, and only by the model that said it."""

from __future__ import annotations

import math

from riskstream.core.lanes.answers import Answers
from riskstream.core.records import Encoded, Partition, Prediction, Ticket
from riskstream.scoring.plain import ConstantScorer

ONE, OTHER = ConstantScorer("m@1"), ConstantScorer("m@2")


def item(*tokens: int) -> Encoded:
    return Encoded(Ticket(Partition("news", 0), 1, 0), 0, tokens)


def said(score: float) -> Prediction:
    return Prediction((), (), (), (), score)


def test_a_repeat_is_of_the_same_model_and_the_same_tokens() -> None:
    answers = Answers(10)
    answers.keep(ONE, [item(1, 2), item(1, 300)], [said(0.1), said(0.2)])
    assert answers.get(ONE, (1, 2)) == said(0.1)
    assert answers.get(ONE, (1, 300)) == said(0.2)
    assert answers.get(ONE, (1,)) is None
    assert answers.get(OTHER, (1, 2)) is None


def test_another_calibration_is_another_model() -> None:
    answers, again = Answers(10), ConstantScorer("m@1")
    again.calibration = "later"
    answers.keep(ONE, [item(1)], [said(0.1)])
    assert answers.get(again, (1,)) is None


def test_the_oldest_is_forgotten_and_what_is_no_number_never_kept() -> None:
    answers = Answers(2)
    answers.keep(ONE, [item(1), item(2), item(3), item(4)], [said(0.1), said(0.2), said(0.3), said(math.nan)])
    assert [answers.get(ONE, (n,)) is not None for n in (1, 2, 3, 4)] == [False, True, True, False]


def test_none_are_kept_where_none_are_asked_for() -> None:
    answers = Answers(0)
    answers.keep(ONE, [item(1)], [said(0.1)])
    assert answers.get(ONE, (1,)) is None
