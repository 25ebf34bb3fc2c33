"""Copies of a text are near it, other texts are not; in English and Chinese."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.reading.sketch import BITS, NEAR_BITS, PAIRS_MIN, as_bits, distance, sketches

REPORT = (
    "Osprey Ferries cancels all sailings after hull cracks found\nOsprey Ferries said on Friday that it has cancelled "
    "all sailings until Tuesday after inspectors found cracks in the hulls of two of its five ships. The operator "
    "carries about 9,000 passengers a day and said that refunds will be paid within two weeks."
)
OTHER_REPORT = (
    "Inspectors halt Osprey fleet over cracks\nFive ferries stay in port this weekend: a safety inspection turned up "
    "damage in two vessels of Osprey, which must now have every hull checked before it may sail again."
)
RESULTS = (
    "Osprey Ferries lifts profit 12% on summer demand\nOsprey Ferries said on Friday that its profit rose by 12% to "
    "41 million euros, helped by a strong summer. It will pay a dividend of 30 cents and expects more passengers."
)
BERICHT = (
    "鹭江轮渡全线停航\n鹭江轮渡周五公告,因检查发现两艘渡轮船体出现裂缝,"
    "公司决定自即日起至周二全线停航,已购票旅客可在两周内全额退款。公司日均客流约九千人次。"
)
COPIES = {
    "another title": REPORT.replace("cancels all sailings after hull cracks found", "halts services over cracks"),
    "an agency before it": REPORT.replace("\n", "\n(Northgate Wire) - "),
    "passed on, with a tag": "RT @harbourwatch: " + REPORT + " #ferries https://t.example/x1",
    "capitals in its title": REPORT.replace(REPORT.split("\n")[0], REPORT.split("\n")[0].upper()),
    "edited in a few words": REPORT.replace("said on Friday that it has", "said Friday it").replace("about ", ""),
    "cut at its end": REPORT[: REPORT.index(" The operator")] + " More to come.",
}


def far(one: str, other: str) -> int:
    first, second = sketches([one, other])
    return distance(as_bits(first), as_bits(second))


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_near(copy: str) -> None:
    assert far(REPORT, copy) <= NEAR_BITS


def test_a_chinese_copy_is_near() -> None:
    assert far(BERICHT, BERICHT.replace("周五公告,", "周五公告称,").replace("已购票旅客可", "购票旅客")) <= NEAR_BITS


@pytest.mark.parametrize("other", [OTHER_REPORT, RESULTS, BERICHT])
def test_another_text_is_far(other: str) -> None:
    assert far(REPORT, other) > NEAR_BITS + 15


@pytest.mark.parametrize("text", ["", "Buy the dip", "🚢🚢🚢", "@ann @bob https://x.example/a/b/c/d/e/f/g", "停航了!"])
def test_a_short_text_has_no_sketch(text: str) -> None:
    assert sketches([text]) == [""]


@given(st.lists(st.text(max_size=80), max_size=8))
def test_a_sketch_does_not_depend_on_its_company(texts: list[str]) -> None:
    made = sketches(texts)
    assert made == [sketches([text])[0] for text in texts]
    assert all(len(one) in (0, 43) for one in made)
    assert all(0 <= as_bits(one) < 2**BITS for one in made)


@given(st.text(st.characters(max_codepoint=127), max_size=300))
def test_ascii_has_the_sketch_that_the_same_has_among_other_characters(text: str) -> None:
    assert sketches([text]) == sketches([f"{text} —"])


def test_the_same_on_every_machine() -> None:
    """What is published must not change with a library or a machine: another sketch is another story."""
    assert sketches([REPORT, BERICHT]) == [
        "t1ING8cJBsjQYr8lliLKKgLp7Ufqk5V5sUrNwILKx6o",
        "UFggjEopFAnfxzAyEkFFVKTUrQgdDE5YmcJDBbHWEdo",
    ]


@pytest.mark.parametrize("broken", ["", "A" * 42, "A" * 44, "é" * 43, "?" * 43])
def test_what_is_no_sketch_is_near_nothing_known(broken: str) -> None:
    assert as_bits(broken) == 0


def test_a_text_of_just_enough_pairs_has_one() -> None:
    words = [f"word{place}" for place in range(PAIRS_MIN + 1)]
    assert [bool(one) for one in sketches([" ".join(words), " ".join(words[:-1])])] == [True, False]
