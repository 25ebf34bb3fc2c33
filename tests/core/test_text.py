"""Text as the model reads it, and the way back to the original."""

import html
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskstream.core.reading.text import (
    Normalised,
    bad_character,
    clean,
    compose,
    fingerprint,
    is_blank,
    language,
    normalise,
    origin,
    snippet,
)

MARKS = st.text(st.sampled_from("aKé&;#x3ampltsemicopy=9 ﬁ①Ａ가ㄱᅡᆨﾊﾞ゙\u0301\u0323\u09be\u09c7½…瀚😀\u200d"), max_size=30)


@pytest.mark.parametrize(
    ("original", "text", "part", "found"),
    [
        ("Acme fell", "Acme fell", "fell", "fell"),
        ("A &amp; B fell", "A & B fell", "&", "&amp;"),
        ("A &amp; B fell", "A & B fell", "B fell", "B fell"),
        ("Ｎｏｒｒｖｉｋ recalls", "Norrvik recalls", "Norrvik", "Ｎｏｒｒｖｉｋ"),
        ("&#x94A7;&#x5DDD;下调", "钧川下调", "钧川", "&#x94A7;&#x5DDD;"),
        ("cafe\u0301 Acme", "café Acme", "é", "e\u0301"),
        ("ﬁne Acme", "fine Acme", "fi", "ﬁ"),
        ("ﬁne Acme", "fine Acme", "Acme", "Acme"),
        ("?a=1&copy=2 Acme", "?a=1©=2 Acme", "Acme", "Acme"),
        ("&amp;amp; Acme", "&amp; Acme", "amp;", "amp;"),
        ("50&nbsp;% Acme", "50 % Acme", "50 %", "50&nbsp;%"),
    ],
)
def test_a_span_leads_back_to_the_original(original: str, text: str, part: str, found: str) -> None:
    made = normalise(original)
    assert made.text == text == clean(original)
    start, end = made.span(text.index(part), text.index(part) + len(part))
    assert original[start:end] == found


@given(st.text(max_size=10), st.text(max_size=40) | MARKS, st.data())
def test_a_part_of_a_document_leads_back_to_the_feeds_own_text(title: str, sent: str, data: st.DataObject) -> None:
    body = clean(sent).strip()
    document = compose(clean(title).strip(), body)
    back = origin(sent, document)
    at = len(document) - len(body)
    start = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(start, len(document)))
    first, last = back.span(start, end)
    assert 0 <= first <= last <= len(sent)
    part = document[max(at, start) : max(at, end)]
    if part and normalise(sent).offsets is None:
        assert sent[first:last] == part
    wider = back.span(start, len(document))
    assert wider[0] <= first and last <= wider[1], "a longer part is made by a longer part"


def test_a_title_leads_to_the_beginning_of_the_text() -> None:
    sent = "  Acme &amp; Bolt defaulted "
    document = compose("Ａcme", clean(sent).strip())
    assert document == "Ａcme\nAcme & Bolt defaulted"
    back = origin(sent, document)
    assert sent[slice(*back.span(document.index("&"), len(document)))] == "&amp; Bolt defaulted"
    assert sent[slice(*back.span(0, document.index("Bolt")))] == "Acme &amp; "


def test_what_needs_no_change_has_no_map() -> None:
    assert normalise("Acme & Sons 瀚岳。") == Normalised("Acme & Sons 瀚岳。", None)
    assert normalise("Acme").span(1, 3) == (1, 3)
    assert normalise("").text == ""


@settings(max_examples=400)
@given(st.text(max_size=40) | MARKS)
def test_the_map_is_whole_and_in_order(original: str) -> None:
    made = normalise(original)
    assert made.text == unicodedata.normalize("NFKC", html.unescape(original)) == clean(original)
    last = 0
    for at in range(len(made.text)):
        start, end = made.span(at, at + 1)
        assert last <= start < end <= len(original)
        last = start
    assert made.span(0, len(made.text))[1] <= len(original)


def test_an_endless_reference_is_no_character() -> None:
    assert clean("&#" + "9" * 5_000 + ";x") == clean("&#9999999999;x") == "\ufffdx"


@pytest.mark.parametrize(
    ("title", "body", "whole"),
    [
        ("Acme falls", "It fell.", "Acme falls\nIt fell."),
        ("Acme falls", "Acme falls by 5%.", "Acme falls by 5%."),
        ("", "It fell.", "It fell."),
        ("  ", "It fell.", "It fell."),
    ],
)
def test_compose(title: str, body: str, whole: str) -> None:
    assert compose(title, body) == whole


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("Acme fell", "en"),
        ("瀚岳置地违约", "zh"),
        ("Norrvik（诺维克）召回Fjell 4轿车，涉及刹车助力器", "zh"),
        ("Hanyue Land Group (瀚岳置地) misses a coupon payment on its dollar bonds", "en"),
        ("ブレーキのリコールを発表した", "ja"),
        ("日本銀行は金融政策を発表", "ja"),
        ("Free tokens now, 本日限り, only here and only today", "en"),
        ("上海の味餐饮公司今天公布全年业绩", "zh"),
        ("Компания объявила", "en"),
        ("🚀🚀🚀", "en"),
        ("", "en"),
    ],
)
def test_language(text: str, lang: str) -> None:
    assert language(text) == lang


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Acme fell 5% today.", "ACME FELL 5%, today", True),
        ("Acme fell", "  acme\n-- fell!", True),
        ("Straße", "STRASSE", True),
        ("瀚岳置地违约。", "瀚岳置地违约!", True),
        ("Acme fell 5%", "Acme fell 6%", False),
        ("🚀🚀", "🌕🌕", False),
    ],
)
def test_a_fingerprint_sees_letters_and_digits(one: str, other: str, same: bool) -> None:
    assert (fingerprint(one) == fingerprint(other)) is same
    assert len(fingerprint(one)) == 16
    assert int(fingerprint(one), 16) >= 0


ASCII = st.text(st.characters(max_codepoint=127), max_size=80)


@given(ASCII)
def test_ascii_has_the_fingerprint_that_the_same_has_among_other_characters(text: str) -> None:
    assert fingerprint(f"a{text}") == fingerprint(f"a{text}—")


@pytest.mark.parametrize(
    ("text", "chars_max", "cut"),
    [
        ("Acme  fell\n again ", 20, "Acme fell again"),
        ("瀚岳置地违约", 4, "瀚岳置…"),
        ("abc e\u0301fg", 6, "abc…"),
        ("ab👩\u200d👩\u200d👧cd", 5, "ab…"),
        ("ab👍🏽cd", 4, "ab…"),
        ("The quick brown fox jumps over the lazy dogs and on", 45, "The quick brown fox jumps over the lazy dogs…"),
    ],
)
def test_a_snippet_splits_nothing(text: str, chars_max: int, cut: str) -> None:
    assert snippet(text, chars_max) == cut


@given(st.text(max_size=600), st.integers(1, 300))
def test_a_snippet_fits(text: str, chars_max: int) -> None:
    assert len(snippet(text, chars_max)) <= chars_max


@pytest.mark.parametrize(
    ("text", "at"), [("Acme", None), ("瀚岳😀", None), ("A\x00", 1), ("瀚\x00", 1), ("\ud800", 0), ("ab\udfff", 2)]
)
def test_bad_characters(text: str, at: int | None) -> None:
    assert bad_character(text) == at


@pytest.mark.parametrize(("text", "blank"), [("", True), (" \n\u3000\u200b\ufeff", True), (".", False), ("🚀", False)])
def test_blank(text: str, blank: bool) -> None:
    assert is_blank(text) is blank
