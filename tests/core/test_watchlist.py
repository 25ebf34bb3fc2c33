"""Watchlist files: what they say, and what an operator is told of a wrong one."""

from pathlib import Path

import pytest

from riskstream.core.errors import OperatorError
from riskstream.core.reading.entities import Matcher
from riskstream.core.reading.watchlist import parse_watchlist, watchlist_hash
from riskstream.core.records import Watched

CONFIG = Path(__file__).parents[2] / "config"


def test_a_line_is_an_entity() -> None:
    text = (
        "\ufeffid,name,aliases,groups,parent,weight\r\n"
        'ACME,"Acme, Inc.",Acme | $ACME||Acme,banks|us,PARENT,2.5\r\n'
        "\r\n"
        "PARENT,母公司\r\n"
    )
    assert parse_watchlist(text, "w.csv") == (
        Watched("ACME", "Acme, Inc.", ("Acme", "$ACME"), ("banks", "us"), "PARENT", 2.5),
        Watched("PARENT", "母公司"),
    )
    assert parse_watchlist("name,id\nAcme,A\n", "w.csv") == (Watched("A", "Acme"),)
    assert parse_watchlist("id,name\n", "w.csv") == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ["w.csv", "no header", "id,name,aliases,groups"]),
        ("id;name\nA;Acme\n", ["line 1", "'id;name'", "no such column", "commas"]),
        ("id,name,alias\n", ["line 1", "'alias'", "no such column"]),
        ("id,id,name\n", ["'id'", "twice"]),
        ("id,aliases\n", ["no column name"]),
        ("id,name\nA,Acme\n,Bolt\n", ["line 3", "column id", "the id is empty"]),
        ("id,name\nA,\n", ["line 2", "column name", "the name is empty"]),
        ("id,name\nA,Acme\nB,Bolt\nA,Again\n", ["line 4", "'A'", "on line 2 already"]),
        ("id,name\nA,Acme,Inc\n", ["line 2", "'Acme,Inc'", "3 values under 2 columns", "quote"]),
        ('id,name\nA,"Acme\n', ["column quoting", "close every quote"]),
        ('id,name\nA,"Acme" Inc\n', ["line 2", "column quoting"]),
        ("id,name,weight\nA,Acme,much\n", ["line 2", "column weight", "'much'", "at least 0"]),
        ("id,name,weight\nA,Acme,-1\n", ["'-1'", "at least 0"]),
        ("id,name,weight\nA,Acme,nan\n", ["'nan'", "at least 0"]),
        ("id,name,parent\nA,Acme,B\n", ["line 2", "column parent", "'B'", "no line has this id"]),
        ("id,name,parent\nA,Acme,B\nB,Bolt,A\n", ["line 3", "column parent", "'A'", "own ancestor"]),
        ("id,name,parent\nA,Acme,A\n", ["line 2", "own ancestor"]),
        ("id,name\n*,Market\n", ["'*'", "the market"]),
        ("id,name\nA|B,Acme\n", ["'A|B'", "holds no |"]),
        ("id,name\nA,Acme\x00\n", ["line 2"]),
        ('id,name\nA,"Acme\nInc"\n', ["line 3", "column name", "one line"]),
        (f"id,name\n{'A' * 200},Acme\n", ["200 characters, at most 128"]),
    ],
)
def test_a_wrong_list_names_place_value_and_fix(text: str, says: list[str]) -> None:
    with pytest.raises(OperatorError) as caught:
        parse_watchlist(text, "w.csv")
    for part in ["w.csv", "Fix: ", *says]:
        assert part in str(caught.value)


def test_the_hash_is_of_what_the_list_says() -> None:
    one = parse_watchlist("id,name,weight\nA,Acme,1\n", "w.csv")
    same = parse_watchlist("name,id\n  Acme ,A\n\n", "other.csv")
    assert watchlist_hash(one) == watchlist_hash(same)
    assert watchlist_hash(one) != watchlist_hash(parse_watchlist("id,name\nA,Acme2\n", "w.csv"))
    assert watchlist_hash(one).startswith("sha256:")


def test_a_long_chain_of_parents_is_read() -> None:
    lines = "".join(f"N{number},Name,N{number + 1}\n" for number in range(5_000))
    assert len(parse_watchlist(f"id,name,parent\n{lines}N5000,Top,\n", "w.csv")) == 5_001


@pytest.mark.parametrize(
    ("file", "entities", "text", "ids"),
    [
        ("watchlist.csv", 8, "Ｎｏｒｒｖｉｋ、瀚岳置地 and $TIDE, not TIDE", ["NRVK", "HYLG", "TIDE"]),
        ("watchlists/sp500.csv", 503, "Citigroup and $BAC, the Nasdaq", ["C", "BAC"]),
        ("watchlists/a-shares.csv", 3_093, "金枫酒业", ["600616"]),
    ],
)
def test_the_shipped_lists_are_read(file: str, entities: int, text: str, ids: list[str]) -> None:
    path = CONFIG / file
    watched = parse_watchlist(path.read_text(encoding="utf-8"), file)
    assert len(watched) == entities
    assert path.stat().st_size < 100_000
    found = {one.id for one in Matcher(watched).find(text.replace("Ｎｏｒｒｖｉｋ", "Norrvik")).mentions}
    assert found == set(ids)
