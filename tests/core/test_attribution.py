"""The words behind a score: which may be named, which are, and what is shown with them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.passages import Span
from riskstream.core.reading.attribution import Reading, Spans, candidates, excerpt, groups, named, without, words


def pieces(text: str) -> list[Span]:
    """Tokens like a word-piece model's: a space and three letters, two Han characters, a mark."""
    return [found.span() for found in re.finditer(r"\s?[^\W㐀-鿿]{1,3}|[㐀-鿿]{1,2}|\s?[^\w\s]|\s", text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Acme defaults today", ["Acme", "defaults", "today"]),
        ("won't re-open at 3.5%", ["won't", "re-open", "at", "3", ".", "5", "%"]),
        ("债券违约 Acme违约", ["债券", "违约", "Acme", "违约"]),
        ("  ", []),
        ("", []),
    ],
)
def test_pieces_become_words(text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in words(text, pieces(text))] == found


@given(st.text(st.sampled_from("ab Z'-.,5甲乙\n"), max_size=60))
def test_words_are_in_order_and_hold_all_that_is_no_space(text: str) -> None:
    found = words(text, pieces(text))
    assert all(start < end for start, end in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))
    assert "".join(text[start:end] for start, end in found) == "".join(text.split())


@pytest.mark.parametrize(
    ("entity", "text", "found"),
    [
        ("Acme", "ACME defaults, says Acme's lender.", ["defaults", "says", "lender"]),
        ("AI", "AI said", ["said"]),
        ("Acme Corp", "Acme sues Acme Corp", ["Acme", "sues"]),
        ("", "Acme sues", ["Acme", "sues"]),
        ("瀚岳", "瀚岳违约", ["违约"]),
        ("Acme", "对Acme违约", ["对", "违约"]),
    ],
)
def test_the_name_and_marks_are_not_named(entity: str, text: str, found: list[str]) -> None:
    chosen = candidates(Reading(entity, text), pieces(text))
    assert [text[start:end] for start, end in chosen] == found


def test_groups_are_even_runs() -> None:
    ten = [(at, at + 1) for at in range(10)]
    assert [len(group) for group in groups(ten, 4)] == [2, 3, 3, 2]
    assert [span for group in groups(ten, 4) for span in group] == ten
    assert groups(ten[:2], 4) == (((0, 1),), ((1, 2),))
    assert groups([], 4) == ()


def test_words_are_left_out() -> None:
    assert without("one two three", [(0, 3), (8, 13)]) == " two "
    assert without("one", []) == "one"


TEXT = "Acme skipped a coupon and will not pay"
AT = {word: (TEXT.index(word), TEXT.index(word) + len(word)) for word in TEXT.split()}


@pytest.mark.parametrize(
    ("weights", "spans_max", "found"),
    [
        ({"skipped": 1.5, "coupon": 0.5}, 5, [("skipped", 1.5), ("coupon", 0.5)]),
        ({"skipped": 1.5, "a": 0.2, "coupon": 0.5}, 5, [("skipped a coupon", 2.2)]),
        ({"skipped": 1.5, "a": -0.2, "coupon": 0.5}, 5, [("skipped", 1.5), ("a", -0.2), ("coupon", 0.5)]),
        ({"skipped": 1.5, "coupon": 0.1}, 5, [("skipped", 1.5)]),
        ({"skipped": 0.04}, 5, []),
        ({"skipped": 0.5, "coupon": -0.9, "pay": 0.6}, 2, [("coupon", -0.9), ("pay", 0.6)]),
        ({}, 5, []),
    ],
    ids=["two", "neighbours", "directions", "light beside heavy", "nothing tells", "heaviest first", "no words"],
)
def test_the_heaviest_words_are_named(
    weights: dict[str, float], spans_max: int, found: list[tuple[str, float]]
) -> None:
    spans = named(TEXT, [(AT[word], weight) for word, weight in weights.items()], spans_max)
    assert [(TEXT[start:end], weight) for start, end, weight in spans] == [(w, pytest.approx(x)) for w, x in found]


LONG = "Acme report\n" + "It was a calm year for all of us. " * 12 + "Then Acme skipped a coupon. " + "And so on. " * 30


WHOLE = (0, len(LONG))


def spans_at(text: str, *found: tuple[str, float]) -> Spans:
    return tuple((text.index(word), text.index(word) + len(word), weight) for word, weight in found)


def show(*found: tuple[str, float], begin: int = 12, within: Span = WHOLE) -> tuple[str, list[str]]:
    line, spans = excerpt(LONG, spans_at(LONG, *found), within=within, begin=begin, chars_max=100)
    return line, [line[start:end] for start, end, _ in spans]


def test_the_text_shown_begins_where_it_always_did() -> None:
    line, spans = show(("calm", 1.0), ("skipped", 0.9))
    assert line.startswith("It was a calm year") and spans == ["calm"] and len(line) <= 100


def test_unless_what_tells_lies_elsewhere() -> None:
    line, spans = show(("calm", 0.5), ("skipped", 0.9), ("coupon", 0.4))
    assert line.startswith("Then Acme skipped a coupon.") and spans == ["skipped", "coupon"]


def test_a_title_that_tells_is_shown_with_its_text() -> None:
    line, spans = show(("report", 2.0))
    assert line.startswith("Acme report It was a calm year") and spans == ["report"]


def test_nothing_outside_the_passage_is_shown() -> None:
    start = LONG.index("Then")
    line, spans = show(("calm", 3.0), ("skipped", 0.9), begin=start, within=(start, start + 27))
    assert (line, spans) == ("Then Acme skipped a coupon.", ["skipped"])


@given(
    st.text(st.sampled_from("ab .\n\t甲é\u0301"), max_size=120),
    st.lists(st.tuples(st.integers(0, 120), st.integers(1, 9), st.floats(-2, 2)), max_size=6),
    st.integers(0, 120),
    st.integers(5, 60),
)
def test_a_span_shows_the_words_that_it_was_given_for(
    text: str, given: list[tuple[int, int, float]], begin: int, chars_max: int
) -> None:
    spans, at = [], 0
    for gap, size, weight in given:
        start, end = at + gap, at + gap + size
        if end <= len(text) and not text[start].isspace() and not text[end - 1].isspace():
            spans.append((start, end, weight))
        at = end
    line, kept = excerpt(text, tuple(spans), within=(0, len(text)), begin=min(begin, len(text)), chars_max=chars_max)
    assert len(line) <= chars_max
    whole = {(" ".join(text[start:end].split()), weight) for start, end, weight in spans}
    for start, end, weight in kept:
        assert 0 <= start < end <= len(line)
        assert any(word.startswith(line[start:end].rstrip()) and weight == given for word, given in whole)
