"""Which names count in a text, as a table, and how relevant they are."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.reading.entities import Found, Matcher
from riskstream.core.reading.names import fold
from riskstream.core.reading.text import clean
from riskstream.core.records import Mention, Watched

WATCHED = (
    Watched("PLCB", "Pellham Creek Bancorp", ("Pellham Creek Bank", "Pellham Creek", "PLCB", "佩勒姆溪银行")),
    Watched("HYLG", "Hanyue Land Group", ("Hanyue", "HYLG", "瀚岳置地", "瀚岳", "岳")),
    Watched("C", "Citigroup", ("C", "Citi")),
    Watched("GE", "GE Aerospace", ("GE", "General Electric")),
    Watched("BP", "BP plc", ("=BP",)),
    Watched("ALL", "Allstate", ("ALL",)),
    Watched("TGT", "Target", ("TGT",)),
    Watched("BAC", "Bank of America", ("BAC",)),
    Watched("AMERICA", "America"),
    Watched("ACME", "Acme Corp.", ("Acme", "Ａcme Holdings")),
    Watched("BOLT", "Bolt, Inc."),
    Watched("COKE", "Coca-Cola", ("McDonald's",)),
    Watched("BRK.B", "Berkshire Hathaway", ("BRK.B",)),
    Watched("600616", "金枫酒业", ("600616",)),
    Watched("AI", "C3", ("$AI",)),
    Watched("GOOGL", "Alphabet (A)", ("Alphabet",)),
    Watched("GOOG", "Alphabet (C)", ("Alphabet",)),
)
MATCHER = Matcher(WATCHED)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # names, in any case
        ("Pellham Creek slides", "PLCB:Pellham Creek"),
        ("PELLHAM CREEK SLIDES", "PLCB:PELLHAM CREEK"),
        ("at pellham\ncreek today", "PLCB:pellham\ncreek"),
        ("Ｐellham Creek", "PLCB:Pellham Creek"),
        # the longest name wins, and nothing inside it counts
        ("Pellham Creek Bank slides", "PLCB:Pellham Creek Bank"),
        ("Bank of America slides", "BAC:Bank of America"),
        ("America slides", "AMERICA:America"),
        # word ends
        ("Acme's shares", "ACME:Acme"),
        ("Acme’s shares", "ACME:Acme"),
        ("Acme-backed shares", "ACME:Acme"),
        ("non-Acme shares", "ACME:Acme"),
        ("#Acme @Acme", "ACME:Acme"),
        ("Acmes Acme_x xAcme Acme2 Ácme", ""),
        ("公司Acme下跌", "ACME:Acme"),
        ("Acme", "ACME:Acme"),
        # legal forms
        ("Acme Corp. fell", "ACME:Acme Corp"),
        ("Acme Corp fell", "ACME:Acme Corp"),
        ("Acme Holdings fell", "ACME:Acme Holdings"),
        ("Bolt Inc fell", "BOLT:Bolt Inc"),
        ("Bolt, Inc. fell", "BOLT:Bolt, Inc"),
        ("Bolt fell", ""),
        # hyphens and apostrophes of every kind
        ("Coca‑Cola fell", "COKE:Coca‐Cola"),
        ("McDonald’s fell", "COKE:McDonald’s"),
        # Chinese names need no word ends; one character is no name
        ("传闻瀚岳置地违约", "HYLG:瀚岳置地"),
        ("瀚岳的债", "HYLG:瀚岳"),
        ("岳先生", ""),
        # short tickers
        ("PLCB - anything going on?", "PLCB:PLCB"),
        ("$PLCB down, $plcb, ($PLCB)", "PLCB:PLCB"),
        ("plcb Plcb", ""),
        ("PLCBX APLCB $PLCBX", ""),
        # one or two letters, everyday words: only in a ticker's dress
        ("$C fell", "C:C"),
        ("$c fell", "C:c"),
        ("Citigroup (C) fell", "C:Citigroup"),
        ("The lender (C) fell", "C:C"),
        ("The lender (C.N) fell", "C:C"),
        ("NYSE: C and NYSE:C", "C:C"),
        ("vitamin C, plan C, (c)", ""),
        ("P$C U$C $$C", ""),
        ("Copyright (C) Wire", ""),
        ("Wire (C) 2026", ""),
        ("(C) the third point", ""),
        ("$GE fell", "GE:GE"),
        ("The maker (NYSE: GE) fell", "GE:GE"),
        ("GE fell", ""),
        ("BP fell", "BP:BP"),
        ("bp fell, 25bp", ""),
        ("ALL SHARES FELL, all of them", ""),
        ("$ALL fell", "ALL:ALL"),
        ("AI is everywhere", ""),
        ("$AI is everywhere", "AI:AI"),
        ("BRK.B fell", "BRK.B:BRK.B"),
        ("600616 shares", ""),
        ("600616.SH 下跌", "600616:600616"),
        ("金枫(600616)下跌", "600616:600616"),
        # everyday words as names need a capital
        ("Target fell", "TGT:Target"),
        ("TARGET FELL", "TGT:TARGET"),
        ("price target cut", ""),
        # web addresses are not read
        ("see https://t.co/Acme and www.acme.com", ""),
        ("见https://t.co/abc瀚岳违约", "HYLG:瀚岳"),
        # a shared alias names both
        ("Alphabet fell", "GOOGL:Alphabet GOOG:Alphabet"),
    ],
)
def test_what_counts_as_a_name(text: str, expected: str) -> None:
    found = MATCHER.find(clean(text))
    said = " ".join(f"{one.id}:{one.mention}" for one in found.mentions)
    assert said == expected


@pytest.mark.parametrize(
    ("hints", "ids"),
    [
        (["ACME"], "ACME"),
        (["acme"], "ACME"),
        (["Acme Corp"], "ACME"),
        (["$plcb"], "PLCB"),
        (["NYSE:GE"], "GE"),
        (["NASDAQ: plcb"], "PLCB"),
        (["佩勒姆溪银行"], "PLCB"),
        (["岳"], "HYLG"),
        (["Alphabet"], "GOOGL GOOG"),
        (["GOOG"], "GOOG"),
        (["ACME", "Acme", "$ACME"], "ACME"),
        (["nobody", "", "$", ":", "A:"], ""),
    ],
)
def test_hints_name_entities_that_the_text_does_not(hints: list[str], ids: str) -> None:
    found = MATCHER.find("Shares fell.", hints)
    assert [one.id for one in found.mentions] == ids.split()
    assert all(one.relevance == 0.5 and one.mention == one.name for one in found.mentions)


@pytest.mark.parametrize(
    ("text", "hints", "relevance"),
    [
        ("Acme fell", [], {"ACME": 0.8667}),
        ("Acme fell. Acme rose. Acme fell. Acme rose.", [], {"ACME": 1.0}),
        ("Shares fell\nThe day was bad. Acme fell.", [], {"ACME": 0.6167}),
        ("Shares fell\nAcme led the way. It was bad.", [], {"ACME": 0.8667}),
        ("Shares fell. " + "x " * 600 + "Acme", [], {"ACME": 0.4917}),
        ("Shares fell. " + "x " * 600 + "Acme", ["ACME"], {"ACME": 0.5}),
        ("Acme fell", ["ACME"], {"ACME": 0.8667}),
        ("Acme sues Pellham Creek", [], {"ACME": 0.7167, "PLCB": 0.7167}),
        ("Acme fell. Pellham Creek rose, and Acme fell.", ["C"], {"ACME": 0.8333, "C": 0.5, "PLCB": 0.4167}),
    ],
)
def test_relevance(text: str, hints: list[str], relevance: dict[str, float]) -> None:
    found = MATCHER.find(text, hints)
    assert {one.id: one.relevance for one in found.mentions} == relevance
    assert [one.id for one in found.mentions] == list(relevance)


def test_what_is_beyond_the_limit_is_counted() -> None:
    watched = [Watched(f"ID{number}", f"Firmware{number} Ltd") for number in range(12)]
    text = "Firmware7 Ltd leads. Then " + ", ".join(one.name for one in watched)
    found = Matcher(watched).find(text)
    assert (len(found.mentions), found.dropped) == (8, 4)
    assert found.mentions[0].id == "ID7"
    assert Matcher(watched).find(text, mentions_max=0) == Found((), 12)


def test_every_place_is_told_unless_the_whole_document_is_about_the_entity() -> None:
    text = "Citi sued Bolt, Inc. Later Citi won."
    found = MATCHER.find(text, ["BOLT"])
    told = {mention.id: places for mention, places in zip(found.mentions, found.places, strict=True)}
    assert told == {"C": (0, text.index("Citi won")), "BOLT": ()}


def test_a_mention_is_a_value() -> None:
    assert MATCHER.find("Acme fell").mentions == (Mention("ACME", "Acme Corp.", "Acme", 0.8667),)
    assert MATCHER.find("") == MATCHER.find("Nobody fell") == Found()


def test_an_empty_watchlist_finds_nobody() -> None:
    assert Matcher(()).find("Acme $ACME (ACME)", ["ACME"]) == Found()
    assert Matcher([Watched("X", "岳")]).find("岳") == Found()


@given(st.text(max_size=60))
def test_folding_keeps_every_place(text: str) -> None:
    assert len(fold(text)) == len(text)


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_ascii_is_folded_as_the_same_among_other_characters(text: str) -> None:
    assert fold(f"{text}\t") == fold(f"{text}\té")[:-1]


WORDS = [
    "Acme",
    "Bank of",
    "America",
    "Pellham Creek",
    "Bank",
    "瀚岳",
    "置地",
    "$",
    "C",
    "(",
    ")",
    "GE",
    "İ",
    "ß",
    "😀",
]
NAMES = sorted(fold(name) for one in WATCHED for name in (one.name, *one.aliases))


@given(st.lists(st.sampled_from([*WORDS, " ", "\n", "https://"]), max_size=14), st.lists(st.text(max_size=5)))
def test_every_mention_stands_in_the_text(parts: list[str], hints: list[str]) -> None:
    text = clean("".join(parts))
    found = MATCHER.find(text, hints)
    ids = [one.id for one in found.mentions]
    assert len(set(ids)) == len(ids)
    for one in found.mentions:
        assert one.mention in text or one.mention == one.name
        assert any(fold(one.mention) in name for name in NAMES)
        assert 0.0 < one.relevance <= 1.0
    assert all(a.relevance >= b.relevance for a, b in itertools.pairwise(found.mentions))
