"""Reading labelled rows: what is refused, merged and kept apart."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels
from riskstream.trainer.augment import Augmenter
from riskstream.trainer.batches import by_length, drawn
from riskstream.trainer.config import AugmentConfig, DataConfig, DataFile, load_config
from riskstream.trainer.data import Example, load_examples, of

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
        (row(text=5), "$.text"),
        ({"id": "x"}, "missing required field"),
        (row(split="dev"), "not one of"),
        (row(labels={"sentiment": "sad"}), "id=a-1 labels.sentiment = 'sad'"),
        (row(labels={"severity": 4}), "not in 0..3"),
        (row(labels={"risk": ["credit", "weather"]}), "labels.risk = 'weather'"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, bad: Any, says: str) -> None:
    file = write(tmp_path, "one.jsonl", [row(), bad])
    with pytest.raises(OperatorError) as caught:
        load(tmp_path, file)
    assert says in str(caught.value)


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


def test_a_fraction_of_a_repeat_is_drawn_by_chance(tmp_path: Path) -> None:
    file = write(tmp_path, "one.jsonl", [row(text=f"text {n}") for n in range(400)])
    examples = load(tmp_path, DataFile(file.path, repeat=1.5))
    epoch = drawn(examples, random.Random(1))
    assert 550 < len(epoch) < 650 and {e.text for e in epoch} == {e.text for e in examples}


def test_batches_stay_within_their_tokens() -> None:
    lengths = [3, 50, 7, 7, 40, 5, 200, 1]
    groups = by_length(lengths, 100)
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    assert all(len(g) * max(lengths[i] for i in g) <= 100 or len(g) == 1 for g in groups)


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
    bad = tmp_path / "bad.toml"
    bad.write_text(shipped.read_text().replace("seed = 20", "sead = 20"))
    for path in (bad, tmp_path / "none.toml"):
        with pytest.raises(OperatorError, match=path.name):
            load_config(path)
