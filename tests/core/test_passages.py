"""Long texts: what is read of them, and what the worst window says."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from riskstream.core.passages import Span, apart, lowered, sentences, to_read, windows, worst
from riskstream.core.records import Prediction


def letters(text: str) -> list[Span]:
    """A token for each character that is no space."""
    return [(at, at + 1) for at, char in enumerate(text) if not char.isspace()]


@pytest.mark.parametrize(
    ("text", "tokens_max", "overlap", "found"),
    [
        ("One.", 10, 3, ["One."]),
        ("", 10, 3, [""]),
        ("Aa. Bb. Cc. Dd.", 6, 3, ["Aa. Bb.", " Bb. Cc.", " Cc. Dd."]),
        ("Aa. Bb. Cc. Dd.", 6, 2, ["Aa. Bb.", " Cc. Dd."]),
        ("甲乙。丙丁。戊己。", 6, 3, ["甲乙。丙丁。", "丙丁。戊己。"]),
        ("Aa\nBb\nCc", 4, 2, ["Aa\nBb\n", "Bb\nCc"]),
        ("abcdefghij", 6, 2, ["abcdef", "efghij"]),
        ("Up 1.5 now. Rs.5 due.", 10, 0, ["Up 1.5 now.", " Rs.5 due."]),
    ],
    ids=["fits", "empty", "shares a sentence", "sentence too long to share", "chinese", "lines", "one word", "numbers"],
)
def test_windows_are_sentences(text: str, tokens_max: int, overlap: int, found: list[str]) -> None:
    spans = windows(text, letters(text), tokens_max=tokens_max, overlap=overlap)
    assert [text[start:end] for start, end in spans] == found


TEXTS = st.text(st.sampled_from("ab c.。\n!x甲"), max_size=200)


@given(TEXTS, st.integers(2, 30), st.integers(0, 29))
def test_windows_hold_the_whole_text_and_keep_their_limit(text: str, tokens_max: int, overlap: int) -> None:
    overlap = min(overlap, tokens_max - 1)
    spans = windows(text, letters(text), tokens_max=tokens_max, overlap=overlap)
    assert spans[0][0] == 0 and spans[-1][1] == len(text)
    for (start, end), (next_start, next_end) in pairwise(spans):
        assert start < next_start <= end < next_end
        assert len(letters(text[next_start:end])) <= overlap
    assert all(len(letters(text[start:end])) <= tokens_max for start, end in spans)


FIVE = [(0, 10), (8, 20), (18, 30), (28, 40), (38, 50)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two!", ["One.", " Two!"]),
        ("Title\nOne. ", ["Title\n", "One. "]),
        ("!! One... Two ?", ["!! One...", " Two ?"]),
        ("甲跌。乙涨", ["甲跌。", "乙涨"]),
        ("?!", []),
    ],
)
def test_sentences_are_those_that_say_something(text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == found


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        ([0.9, 0.1, 0.1, 0.1, 0.1], [(0, 10)]),
        ([0.9, 0.8, 0.1, 0.1, 0.1], [(0, 10), (10, 20)]),
        ([0.8, 0.9, 0.7, 0.1, 0.6], [(0, 8), (8, 20), (20, 30), (38, 50)]),
        ([0.1, 0.1, 0.1, 0.1, 0.1], []),
    ],
)
def test_what_risky_windows_share_is_the_riskiest_ones(scores: list[float], found: list[Span]) -> None:
    assert apart(FIVE, scores, 0.5) == tuple(found)


@pytest.mark.parametrize(
    ("places", "windows_max", "read", "left_out"),
    [
        ([5], 9, (0, 1), 0),
        ([25], 9, (1, 2, 3), 0),
        ([9], 9, (0, 1, 2), 0),
        ([5, 45], 9, (0, 1, 3, 4), 0),
        ([5, 45], 3, (0, 1, 4), 1),
        ([], 9, (0, 1, 2, 3, 4), 0),
        ([], 2, (0, 1), 3),
    ],
    ids=["first", "middle", "in two", "two places", "named before neighbours", "nowhere named", "limit"],
)
def test_only_windows_that_name_the_entity_and_their_neighbours_are_read(
    places: list[int], windows_max: int, read: tuple[int, ...], left_out: int
) -> None:
    assert to_read(FIVE, places, windows_max) == (read, left_out)


def said(risk_score: float, severity: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4)) -> Prediction:
    return Prediction((1.0,), severity, (0.5,), (1.0,), risk_score)


def test_the_worst_window_speaks_for_all() -> None:
    calm, bad = said(0.2), said(0.9)
    assert worst([calm, bad, calm], per_log=0.0) == (1, bad)
    assert worst([bad], per_log=5.0) == (0, bad)


def test_the_worst_of_many_is_lowered() -> None:
    _, found = worst([said(0.1)] * 9 + [said(0.9)], per_log=0.5)
    odds = 0.9 / 0.1 / math.sqrt(10)
    assert found.risk_score == pytest.approx(odds / (1 + odds))
    upper = 0.7 / 0.3 / math.sqrt(10)
    assert sum(found.severity[2:]) == pytest.approx(upper / (1 + upper))
    assert found.severity[3] / found.severity[2] == pytest.approx(4 / 3)
    assert (found.sentiment, found.risk, found.topic) == ((1.0,), (0.5,), (1.0,))


def test_a_window_without_a_number_is_not_passed_over() -> None:
    index, found = worst([said(0.9), said(math.nan)], per_log=0.5)
    assert index == 1 and math.isnan(found.risk_score)


@given(
    st.floats(0, 1), st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda s: sum(s) > 0.1), st.floats(0, 9)
)
@example(0.0, [1.0, 0.0, 5e-324, 0.0], 1.0)
def test_lowering_keeps_probabilities(score: float, shares: list[float], by: float) -> None:
    before = said(score, tuple(share / sum(shares) for share in shares))
    after = lowered(before, by)
    assert sum(after.severity) == pytest.approx(1)
    assert min(after.severity) >= -1e-9 and after.risk_score <= score + 2e-6
    assert sum(after.severity[2:]) <= sum(before.severity[2:]) + 2e-6
