"""Texts written otherwise: what changes, and what never does."""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path

import pytest

from riskstream.core.errors import OperatorError
from riskstream.trainer.config import AugmentConfig, RewriteConfig
from riskstream.trainer.data import rewrite
from riskstream.trainer.data.augment import Augmenter
from riskstream.trainer.data.back_translate import back_translated, usable
from riskstream.trainer.data.examples import Example
from riskstream.trainer.data.rewrite import Rewriter, dressed, renamed, rewriter_of, synonyms, typos, watchlist_names

ROOT = Path(__file__).parents[2]
SEEDS = range(40)
NEWS = (
    "Velmora Foods falls 12% after regulators open a probe into its accounts, but its founder never denied the report."
)
WIRE = "据悉，瀚川置业（代号600000）同比下降12%，监管机构尚未表态。"


@pytest.mark.parametrize(
    ("text", "lang", "keep", "results"),
    [
        ("Velmora falls", "en", "Velmora", {"Velmora drops", "Velmora declines"}),
        ("Lawsuit against Velmora", "en", "", {"Suit against Velmora"}),
        ("VELMORA FALLS", "en", "", {"VELMORA DROPS", "VELMORA DECLINES"}),
        ("Drops Falls Ltd rises", "en", "Drops Falls Ltd", {"Drops Falls Ltd climbs", "Drops Falls Ltd advances"}),
        ("#falls $falls @falls https://t.example/falls", "en", "", {"#falls $falls @falls https://t.example/falls"}),
        ("Velmora befalls", "en", "", {"Velmora befalls"}),
        ("瀚川净额同比下滑", "zh", "瀚川", {"瀚川净额同比下降"}),
        ("监管机构约谈瀚川", "zh", "瀚川", {"监管部门约谈瀚川"}),
        ("falls", "zh", "", {"falls"}),
        ("falls", "fr", "", {"falls"}),
    ],
)
def test_words_are_replaced_by_others_of_the_same_strength(text: str, lang: str, keep: str, results: set[str]) -> None:
    assert {synonyms(text, lang, random.Random(seed), keep=keep, share=1.0) for seed in SEEDS} == results


def test_the_lexicon_goes_one_step_and_says_something_else() -> None:
    tables = tomllib.loads((ROOT / "riskstream" / "trainer" / "lexicon.toml").read_text("utf-8"))
    assert len(tables["en"]) >= 30 and len(tables["zh"]) >= 15
    for table in tables.values():
        assert all(others and word not in others and all(others) for word, others in table.items())
    mild, strong = {"slips", "eases", "edges down"}, {"plunges", "tumbles", "slumps"}
    reach = {word: set(others) for word, others in tables["en"].items()}
    assert not any(reach.get(word, set()) & strong for word in mild | {"falls", "drops", "declines"})
    assert not any(reach.get(word, set()) & mild for word in strong)


def test_a_typo_is_one_letter_inside_a_word_and_never_in_what_turns_the_news() -> None:
    seen = set()
    for seed in SEEDS:
        changed = typos(NEWS, random.Random(seed), keep="Velmora Foods", share=1.0)
        assert all(word in changed for word in ("Velmora Foods", "12%", "never", "denied", "but", "its"))
        words = zip(re.findall(r"\w+", NEWS), re.findall(r"\w+", changed), strict=True)
        for before, after in words:
            assert (before[0], before[-1]) == (after[0], after[-1]) and abs(len(before) - len(after)) <= 1
        seen.add(changed)
    assert len(seen) > 20 and NEWS not in seen
    assert typos(WIRE, random.Random(1), share=1.0) == WIRE


@pytest.mark.parametrize(
    ("way", "before", "after"),
    [
        ("lower", "Velmora CUTS $VLM https://t.example/Ab", "velmora cuts $VLM https://t.example/Ab"),
        ("upper", "Velmora cuts @desk", "VELMORA CUTS @desk"),
        ("without_stop", "Velmora cuts.", "Velmora cuts"),
        ("without_stop", "Will Velmora cut?", "Will Velmora cut?"),
        ("without_stop", "Velmora cuts...", "Velmora cuts..."),
        ("half_width", "瀚川（代号１）：下跌，５％", "瀚川(代号１):下跌,５%"),
        ("full_width", "瀚川(代号)下跌5%", "瀚川（代号）下跌5％"),
        ("full_width", "Velmora (VLM) 5%", "Velmora (VLM) 5%"),
        ("curly", "Velmora's", "Velmora’s"),
        ("straight", "“Velmora’s”", '"Velmora\'s"'),
    ],
)
def test_each_dress_is_what_it_says(way: str, before: str, after: str) -> None:
    assert getattr(rewrite, way)(before, "") == after


def test_a_dress_leaves_the_entity_and_the_numbers() -> None:
    for text, entity in ((NEWS, "Velmora Foods"), (WIRE, "瀚川置业（代号600000）")):
        changed = {dressed(text, random.Random(seed), keep=entity) for seed in SEEDS}
        assert len(changed) >= 3 and text not in changed
        assert all(entity.casefold() in one.casefold() for one in changed)
        assert all(re.findall(r"\d+", one) == re.findall(r"\d+", text) for one in changed)
    assert dressed("5", random.Random(1)) == "5"


@pytest.mark.parametrize(
    ("entity", "text", "pair"),
    [
        ("Velmora", "Velmora sues Bolt; Velmora's bank waits", ("Corex", "Corex sues Bolt; Corex's bank waits")),
        ("瀚川置业", "瀚川置业被诉", ("Corex", "Corex被诉")),
        ("Velm", "Velmora sued", ("Velm", "Velmora sued")),
        ("Velmora", "VELMORA sued", ("Velmora", "VELMORA sued")),
        ("Velmora", "Velmora and VELMORA sued", ("Velmora", "Velmora and VELMORA sued")),
        ("Velmora", "Velmora sues Corex", ("Velmora", "Velmora sues Corex")),
        ("V", "V falls", ("V", "V falls")),
        ("", "V falls", ("", "V falls")),
    ],
)
def test_an_entity_is_renamed_everywhere_or_not_at_all(entity: str, text: str, pair: tuple[str, str]) -> None:
    assert renamed(entity, text, ["Corex"], random.Random(1)) == pair


def test_names_come_from_watchlists_by_script(tmp_path: Path) -> None:
    names = watchlist_names(sorted((ROOT / "config" / "watchlists").glob("*.csv")))
    assert len(names["latin"]) > 400 and len(names["cjk"]) > 1000
    bad = tmp_path / "bad.csv"
    bad.write_text("id,title\n1,Acme\n")
    for path in (bad, tmp_path / "none.csv"):
        with pytest.raises(OperatorError, match=path.name):
            watchlist_names([path])


def test_a_rewriter_does_what_its_shares_say_and_the_same_for_a_seed() -> None:
    names = {"latin": ["Corex"], "cjk": ["岭南水务"]}
    assert Rewriter(RewriteConfig(), names).pair("Velmora Foods", NEWS, "en", random.Random(1)) == (
        "Velmora Foods",
        NEWS,
    )
    all_of_it = Rewriter(RewriteConfig(synonyms=1.0, typos=1.0, dressing=1.0, rename=1.0), names)
    for entity, text, lang, other in (("Velmora Foods", NEWS, "en", "Corex"), ("瀚川置业", WIRE, "zh", "岭南水务")):
        asked, first = all_of_it.pair(entity, text, lang, random.Random(3))
        assert asked == other and other.casefold() in first.casefold() and first != text.replace(entity, other)
        assert all_of_it.pair(entity, text, lang, random.Random(3)) == (asked, first)


def test_training_rows_are_written_otherwise_before_they_are_altered(tmp_path: Path) -> None:
    config = RewriteConfig(translate=1.0, translate_command=("sed", "s/cuts/lowers/"))
    rewriter = rewriter_of(config, ["Velmora cuts jobs", "Bolt rises"], tmp_path)
    example = Example("Velmora cuts jobs", "Velmora", "en", "s", "", "train", ("a",), 1.0, 1, None, 2, (1,), None)
    off = AugmentConfig(blank=0.0, swap=0.0, case=1.0, cashtag=0.0)
    assert Augmenter(off, [example], rewriter).pair(example, random.Random(1)) == ("velmora", "Velmora lowers jobs")


def test_texts_go_there_and_back_once(tmp_path: Path) -> None:
    texts = ["velmora\nfalls", "瀚川 down"]
    assert back_translated(texts, ["cat"], tmp_path, timeout_s=20) == {texts[0]: "velmora falls", texts[1]: texts[1]}
    count = tmp_path / "count"
    counting = ["sh", "-c", f"echo run >> {count}; tr a-z A-Z"]
    for _ in range(2):
        found = back_translated(texts, counting, tmp_path / "cache", timeout_s=20)
        assert found == {texts[0]: "VELMORA FALLS", texts[1]: "瀚川 DOWN"}
    assert count.read_text() == "run\n"
    assert back_translated([], counting, tmp_path / "cache", timeout_s=20) == {}


@pytest.mark.parametrize(
    ("command", "timeout_s", "says"),
    [
        ([], 20.0, "is empty"),
        (["no-such-program-here"], 20.0, "No such file"),
        (["sh", "-c", "cat > /dev/null; echo one"], 20.0, "gave 1 lines for 2"),
        (["sh", "-c", "cat > /dev/null; echo sorry >&2; exit 3"], 20.0, "ended with 3: sorry"),
        (["sh", "-c", "exec tail -f /dev/null"], 0.05, "took more than 0.05 s"),
    ],
)
def test_a_bad_translator_is_named_and_nothing_cached(
    tmp_path: Path, command: list[str], timeout_s: float, says: str
) -> None:
    with pytest.raises(OperatorError, match=says):
        back_translated(["a", "b"], command, tmp_path, timeout_s=timeout_s)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("translation", "entity", "used"),
    [("Velmora drops", "velmora", True), ("It drops", "Velmora", False), (" ", "", False), ("It drops", "", True)],
)
def test_a_translation_without_its_entity_is_not_used(translation: str, entity: str, used: bool) -> None:
    assert usable("Velmora falls", translation, entity) == (translation if used else "Velmora falls")
