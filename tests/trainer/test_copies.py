"""What counts as the same text, and that the search finds what an exact comparison would."""

from __future__ import annotations

import random
from itertools import product

import pytest

from riskstream.trainer.data.copies import Index, bands, copies, jaccard, leaders, plain, share_of, shingles, signatures

WORDS = """acme bolt corex drops gains loss bank plant court fine bond north rate sugar tender spring port ship coal
firm loan""".split()  # noqa: SIM905


@pytest.mark.parametrize(
    ("dressed", "bare"),
    [
        ("Acme  Sued\n", "acme sued"),
        ("RT @desk_1: Acme sued https://t.example/Ab1 #law", "acme sued law"),
        ("Ａｃｍｅ被诉，股价跌５％", "acme被诉 股价跌5"),
        ("$ACME - down 5.2%!", "acme down 5 2"),
        ("mail me@acme.example", "mail me acme example"),
        ("https://t.example/x", "https://t.example/x"),
        ("…", "…"),
        ("", ""),
    ],
)
def test_dressing_is_taken_off(dressed: str, bare: str) -> None:
    assert plain(dressed) == bare


NEWS = "acme foods cuts its outlook for the year as sugar prices rise"
WIRE = "瀚川置业未能按期兑付本金及利息合计三亿元，债权人会议定于下周召开"


@pytest.mark.parametrize(
    ("first", "second", "near"),
    [
        (NEWS, NEWS + " again", True),
        ("acme cuts outlook", "bolt cuts outlook", False),
        (WIRE, WIRE.replace("定于", ""), True),
        ("瀚川置业未能按期兑付本金", "岭南水务未能按期兑付本金", False),
        ("up", "up", True),
        ("up", "down", False),
    ],
)
def test_near_is_a_share_of_pieces_in_both_scripts(first: str, second: str, near: bool) -> None:
    assert (jaccard(shingles(plain(first)), shingles(plain(second))) >= 0.8) is near
    assert (set(copies([first], [second], 0.8)) == {first}) is near


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.95, 1.0])
def test_bands_miss_few_at_the_threshold(threshold: float) -> None:
    count, rows = bands(threshold)
    assert count * rows <= 128 and (1 - threshold**rows) ** count <= 0.001


def test_the_search_finds_what_comparing_all_with_all_finds() -> None:
    rng = random.Random(5)
    held = [" ".join(rng.choices(WORDS, k=14)) for _ in range(150)]
    asked = [" ".join(rng.choices(WORDS, k=14)) for _ in range(50)]
    for text in held[:100]:
        words = text.split()
        words[rng.randrange(14)] = rng.choice(WORDS)
        asked.append(" ".join(words))
    exact = {a for a, h in product(asked, held) if jaccard(shingles(a), shingles(h)) >= 0.8}
    assert 30 < len(exact) < 100
    assert set(copies(asked, held, 0.8)) == exact


def test_a_group_has_one_leader_and_those_told_first_lead() -> None:
    texts = ["b firm opens a plant in the far north", "b firm opens a plant in the far north now", "other news"]
    assert leaders(texts, 0.8) == {texts[0]: texts[0], texts[1]: texts[0], texts[2]: texts[2]}
    assert leaders(texts, 0.8, first=[texts[1]])[texts[0]] == texts[1]


def test_of_equals_the_first_by_name_is_found_whatever_the_order() -> None:
    texts = ["acme opens a plant in the far north x", "acme opens a plant in the far north y"]
    asked = "acme opens a plant in the far north z"
    for order in (texts, texts[::-1]):
        index = Index(0.7)
        for text, signature in zip(order, signatures(order), strict=True):
            index.add(text, signature)
        assert index.find(asked, signatures([asked])[0]) == texts[0]


def test_the_share_of_a_text_never_moves() -> None:
    assert share_of("acme sued") == pytest.approx(0.9728, abs=1e-4)
    assert 0.45 < sum(share_of(f"text {n}") for n in range(2000)) / 2000 < 0.55
