"""Reading labelled rows: what is refused, merged and kept apart."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels
from riskstream.trainer.config import AugmentConfig, DataConfig, DataFile, SplitShares, load_config
from riskstream.trainer.data.augment import Augmenter, orders
from riskstream.trainer.data.copies import copies
from riskstream.trainer.data.examples import Example, leaked, load_examples, load_rows, of
from riskstream.trainer.data.rows import check_rows
from riskstream.trainer.fitting.batches import drawn
from riskstream.trainer.lengths import by_length
from riskstream.trainer.measuring.bias import templates

LABELS = Labels(
    ("negative", "neutral", "positive"), ("none", "watch", "material", "severe"), ("credit", "legal"), ("Macro",)
)
ROW = {"id": "a-1", "text": "Acme sued", "entity": "Acme", "lang": "en", "source": "t", "split": "train", "labels": {}}


def row(**changes: Any) -> dict[str, Any]:
    return {**ROW, **changes}


def write(folder: Path, name: str, rows: list[Any]) -> DataFile:
    lines = [line if isinstance(line, str) else json.dumps(line) for line in rows]
    (folder / name).write_text("\n".join(lines))
    return DataFile(name)


def load(folder: Path, *files: DataFile) -> list[Example]:
    return load_examples(DataConfig(str(folder), files), LABELS)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("{", "one.jsonl:2"),
        ("7", "one.jsonl:2 = '7': not an object"),
        (row(text=5), "one.jsonl:2 text = '5': is not text. Fix: write it as text"),
        ({"id": "x"}, "text = 'None': is missing"),
        (row(id=""), "id = '': is empty"),
        (row(split="dev"), "split = 'dev': not one of train, valid, test, spare"),
        (row(labels=[]), "labels = '[]': is not an object"),
        (row(labels={"sentiment": "sad"}), "labels.sentiment = 'sad': 'sad' is not a label of this head"),
        (row(labels={"severity": 4}), "labels.severity = '4': not in 0..3"),
        (row(labels={"severity": True}), "labels.severity = 'True': is not a whole number"),
        (row(labels={"risk": "credit"}), "labels.risk = 'credit': is not a list of texts"),
        (row(labels={"risk": ["credit", 3]}), "is not a list of texts"),
        (row(labels={"risk": ["credit", "weather"]}), "'weather' is not a label of this head: credit, legal"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, bad: Any, says: str) -> None:
    file = write(tmp_path, "one.jsonl", [row(), bad])
    with pytest.raises(OperatorError) as caught:
        load(tmp_path, file)
    assert says in str(caught.value)


def test_all_mistakes_of_a_file_are_told_at_once_and_not_without_end(tmp_path: Path) -> None:
    few = write(tmp_path, "few.jsonl", [row(split="dev"), row(), row(lang=None), row(labels={"severity": 9})])
    with pytest.raises(OperatorError) as caught:
        load(tmp_path, few)
    lines = str(caught.value).splitlines()
    assert [line.split("few.jsonl")[1].split(" ")[0] for line in lines] == [":1", ":3", ":4"]
    assert "3 mistakes" in lines[0]
    many = write(tmp_path, "many.jsonl", [row(split="dev")] * 30)
    with pytest.raises(OperatorError, match="20 mistakes or more") as caught:
        load(tmp_path, many)
    assert len(str(caught.value).splitlines()) == 20


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_bytes(json.dumps(row()).encode() + b'\n{"id": "\xff"}\n')
    with pytest.raises(OperatorError, match=r"one\.jsonl:2 = .*not JSON in UTF-8"):
        load(tmp_path, DataFile("one.jsonl"))


def test_an_id_that_comes_twice_is_a_mistake_where_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "one.jsonl", [row(), row(id="b"), row(text="again")])
    assert len(check_rows(tmp_path / "one.jsonl")[0]) == 3
    rows, (mistake,) = check_rows(tmp_path / "one.jsonl", unique_ids=True)
    assert (len(rows), mistake.line, mistake.field, mistake.problem) == (2, 3, "id", "stands in line 1, too")


def test_an_example_keeps_its_rows_id_draw_and_labels_of_other_heads(tmp_path: Path) -> None:
    first = write(tmp_path, "a.jsonl", [row(labels={"severity": 1, "clause": "Audit", "tags": ["x"]})])
    second = write(tmp_path, "b.jsonl", [row(id="b", picked="random", labels={"clause": "Term", "tone": "calm"})])
    (example,) = load(tmp_path, first, second)
    assert (example.id, example.picked, example.extra) == ("a-1", "random", (("clause", "Audit"), ("tone", "calm")))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"none\.jsonl"):
        load(tmp_path, DataFile("none.jsonl"))


def test_rows_of_one_question_are_one_example(tmp_path: Path) -> None:
    first = write(tmp_path, "annotated.jsonl", [row(labels={"severity": 0, "risk": []})])
    second = write(tmp_path, "tfns.jsonl", [row(labels={"sentiment": "negative", "severity": 3}), row(text="  ")])
    (example,) = load(tmp_path, first, second)
    assert example.parts == ("annotated", "tfns")
    assert (example.sentiment, example.severity, example.risk, example.topic) == (0, 0, (), None)


def test_other_entities_of_a_text_are_kin(tmp_path: Path) -> None:
    file = write(tmp_path, "pairs.jsonl", [row(labels={"severity": 0}), row(entity="Bolt", labels={"severity": 2})])
    assert [(e.entity, e.kin, e.severity) for e in load(tmp_path, file)] == [("Acme", 2, 0), ("Bolt", 2, 2)]


@pytest.mark.parametrize("split", ["test", "valid", "spare"])
def test_a_text_to_measure_on_is_never_trained_on(tmp_path: Path, split: str) -> None:
    file = write(tmp_path, "one.jsonl", [row(), row(split=split)])
    with pytest.raises(OperatorError, match="split"):
        load(tmp_path, file)


def test_examples_are_chosen_by_split_part_and_head(tmp_path: Path) -> None:
    file = write(tmp_path, "one.jsonl", [row(labels={"severity": 1}), row(text="Bolt up", split="test")])
    examples = load(tmp_path, file)
    assert [e.text for e in of(examples, split="train")] == ["Acme sued"]
    assert of(examples, split="test", head="severity") == []
    assert of(examples, split="train", part="other") == []


def test_a_copy_of_a_text_to_measure_on_is_dropped_from_train_and_from_nowhere_else(tmp_path: Path) -> None:
    report = "Acme Foods cuts its outlook for the year as sugar prices rise and demand in the north falls"
    train = write(
        tmp_path, "train.jsonl", [row(text=f"RT @desk: {report} https://t.example/x1"), row(text="Bolt wins a tender")]
    )
    held = write(tmp_path, "held.jsonl", [row(text=report, split="test"), row(text=report + "!", split="valid")])
    config = DataConfig(str(tmp_path), (train, held), near_duplicates=0.8)
    parts, dropped = load_rows(config, LABELS)
    assert [r.text for r in parts["train.jsonl"]] == ["Bolt wins a tender"]
    assert (dropped["train.jsonl"], dropped["held.jsonl"], len(parts["held.jsonl"])) == (1, 0, 2)
    assert [e.split for e in load_examples(config, LABELS)] == ["train", "test", "valid"]
    assert leaked(load_examples(config, LABELS)) == set()
    assert leaked(load(tmp_path, train, held)) == {report}


@pytest.mark.parametrize("split", ["test", "valid", "spare"])
def test_the_same_text_on_both_sides_is_dropped_where_copies_are_looked_for(tmp_path: Path, split: str) -> None:
    file = write(tmp_path, "one.jsonl", [row(), row(split=split)])
    config = DataConfig(str(tmp_path), (file,), near_duplicates=0.8)
    assert [example.split for example in load_examples(config, LABELS)] == [split]


def test_a_text_without_a_split_has_one_side_over_all_files_and_with_its_near_copies(tmp_path: Path) -> None:
    reports = [f"Firm number {n} of {n * 7} opens a plant in district {n * 13} this spring" for n in range(300)]
    first = write(tmp_path, "a.jsonl", [row(text=text, split="") for text in reports])
    second = write(tmp_path, "b.jsonl", [row(text=text.upper() + "!", split="") for text in reports])
    third = write(tmp_path, "c.jsonl", [row(text="Known Firm sued in May", split="test")])
    fourth = write(tmp_path, "d.jsonl", [row(text="known firm SUED in May https://t.example/1", split="")])
    config = DataConfig(str(tmp_path), (first, second, third, fourth), 0.99, SplitShares(valid=0.2, test=0.3))
    parts, dropped = load_rows(config, LABELS)
    sides = [r.split for r in parts["a.jsonl"]]
    assert sides == [r.split for r in parts["b.jsonl"]] and not any(dropped.values())
    assert 40 < sides.count("valid") < 80 and 70 < sides.count("test") < 110
    assert [r.split for r in parts["d.jsonl"]] == ["test"]


def test_a_fraction_of_a_repeat_is_drawn_by_chance(tmp_path: Path) -> None:
    file = write(tmp_path, "one.jsonl", [row(text=f"text {n}") for n in range(400)])
    examples = load(tmp_path, DataFile(file.path, repeat=1.5))
    epoch = drawn(examples, random.Random(1))
    assert 550 < len(epoch) < 650 and {e.text for _, e in epoch} == {e.text for e in examples}


def test_what_is_asked_about_one_text_is_drawn_together(tmp_path: Path) -> None:
    rows = [row(text=f"text {n}", entity=name) for n in range(50) for name in ("Acme", "Bolt")]
    file = write(tmp_path, "one.jsonl", rows)
    epoch = drawn(load(tmp_path, DataFile(file.path, repeat=2.0)), random.Random(1))
    assert [draw for draw, _ in epoch] == [n for n in range(100) for _ in ("Acme", "Bolt")]
    assert all(first.text == second.text for (_, first), (_, second) in zip(epoch[::2], epoch[1::2], strict=True))
    assert [e.text for _, e in epoch] != sorted(e.text for _, e in epoch)


def test_batches_stay_within_their_tokens() -> None:
    lengths = [3, 50, 7, 7, 40, 5, 200, 1]
    groups = by_length(lengths, 100)
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    assert all(len(g) * max(lengths[i] for i in g) <= 100 or len(g) == 1 for g in groups)


def test_rows_of_one_draw_share_a_batch_though_their_lengths_differ() -> None:
    assert by_length([10, 30, 12, 11], 60, [7, 7, 8, 9]) == [[3, 2], [0, 1]]


EXAMPLE = Example("Acme sued by Bolt", "Acme", "en", "s", "", "train", ("a",), 1.0, 1, None, 2, (1,), None)
OTHER = Example("Corex rises", "Corex", "en", "s", "", "train", ("a",), 1.0, 1, None, 0, (), None)
OFF = AugmentConfig(blank=0.0, swap=0.0, case=0.0, cashtag=0.0)


@pytest.mark.parametrize(
    ("config", "example", "pair"),
    [
        (OFF, EXAMPLE, ("Acme", "Acme sued by Bolt")),
        (AugmentConfig(blank=1.0, swap=0.0, case=0.0, cashtag=0.0), EXAMPLE, ("", "Acme sued by Bolt")),
        (AugmentConfig(blank=0.0, swap=1.0, case=0.0, cashtag=0.0), EXAMPLE, ("Corex", "Corex sued by Bolt")),
        (AugmentConfig(blank=0.0, swap=0.0, case=1.0, cashtag=0.0), EXAMPLE, ("acme", "Acme sued by Bolt")),
    ],
    ids=["off", "blank", "swap", "case"],
)
def test_an_alteration_keeps_question_and_text_together(
    config: AugmentConfig, example: Example, pair: tuple[str, str]
) -> None:
    augmenter = Augmenter(config, [EXAMPLE, OTHER])
    assert pair in {augmenter.pair(example, random.Random(seed)) for seed in range(9)}


def test_an_order_to_the_reader_stands_beside_the_text_and_changes_no_label() -> None:
    augmenter = Augmenter(msgspec.structs.replace(OFF, orders=1.0), [EXAMPLE])
    texts = {augmenter.pair(EXAMPLE, random.Random(seed))[1] for seed in range(40)}
    before = {text.removesuffix(EXAMPLE.text) for text in texts if text.endswith(EXAMPLE.text)}
    after = {text.removeprefix(EXAMPLE.text) for text in texts if text.startswith(EXAMPLE.text)}
    assert len(before) > 5 and len(after) > 5 and len(before) + len(after) == len(texts)


def test_orders_that_are_trained_on_are_none_of_those_that_are_measured_with() -> None:
    trained, measured = orders(), templates().injections
    assert set(trained) == set(measured) == {"en", "zh"}
    for lang, told in trained.items():
        assert len(set(told)) == len(told) > 20
        assert not copies(told, measured[lang], 0.5)


def test_a_file_with_a_root_of_its_own_is_only_trained_on(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    write(tmp_path, "a.jsonl", [row(text="Acme sued in Ohio")])
    write(tmp_path / "own", "b.jsonl", [row(text="Bolt fined in Kent")])
    files = (DataFile("a.jsonl"), DataFile("b.jsonl", root=str(tmp_path / "own")))
    assert len(load(tmp_path, *files)) == 2
    write(tmp_path / "own", "b.jsonl", [row(text="Bolt fined in Kent", split="test")])
    with pytest.raises(OperatorError, match="rows of split `train` alone"):
        load(tmp_path, *files)


def test_a_cashtag_becomes_the_entity_where_it_is_the_only_one() -> None:
    augmenter = Augmenter(AugmentConfig(blank=0.0, swap=0.0, case=0.0, cashtag=1.0), [EXAMPLE])
    one = Example("$BYND sinks", "", "en", "s", "", "train", ("a",), 1.0, 1, 0, None, None, None)
    two = Example("$BYND and $T sink", "", "en", "s", "", "train", ("a",), 1.0, 1, 0, None, None, None)
    asked = {augmenter.pair(one, random.Random(seed))[0] for seed in range(9)}
    assert asked == {"$BYND", "BYND"}
    assert augmenter.pair(two, random.Random(1)) == ("", "$BYND and $T sink")


def test_the_shipped_config_is_read_and_a_bad_one_named(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "config" / "train" / "finrisk.toml"
    assert load_config(shipped).labels.severity == LABELS.severity
    bad, beyond = tmp_path / "bad.toml", tmp_path / "beyond.toml"
    bad.write_text(shipped.read_text().replace("seed = 20", "sead = 20"))
    beyond.write_text(shipped.read_text().replace("near_duplicates = 0.8", "near_duplicates = 80"))
    for path in (bad, beyond, tmp_path / "none.toml"):
        with pytest.raises(OperatorError, match=path.name):
            load_config(path)
