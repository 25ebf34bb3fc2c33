"""`riskstream data`: the card, the check, and the recipes for public sets, on invented rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from riskstream.cli_data import data
from riskstream.core.errors import OperatorError
from riskstream.trainer.config import load_config
from riskstream.trainer.data.fetch import RECIPES, TOPICS, fetch
from riskstream.trainer.data.rows import Row, read_rows
from riskstream.trainer.measuring.agreement import SecondLabels, agreement

SHIPPED = Path(__file__).parents[2] / "config" / "train" / "finrisk.toml"


def row(number: int, text: str, split: str, labels: dict[str, Any], **changes: str) -> dict[str, Any]:
    base = {"id": f"r-{number}", "text": text, "entity": "", "lang": "en", "source": "wire", "split": split}
    return {**base, "labels": labels, **changes}


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


def config_for(folder: Path) -> Path:
    """The shipped configuration, over two invented files."""
    shipped = SHIPPED.read_text()
    head, rest = shipped.split("[data]")[0], shipped[shipped.index("[labels]") :]
    body = f"""[data]
root = "{folder}"
near_duplicates = 0.8
second_reader = "second.jsonl"
[[data.files]]
path = "one.jsonl"
source = "a wire | desk"
licence = "MIT"
[[data.files]]
path = "two.jsonl"
"""
    path = folder / "train.toml"
    path.write_text(head + body + rest)
    return path


SECRET = "Velmora Foods cuts its outlook for the whole year as prices of sugar rise in the north"
ROWS = [
    row(1, SECRET + " again", "train", {"severity": 2, "risk": ["earnings"]}, entity="Velmora Foods", picked="random"),
    row(2, "Corex wins a tender", "train", {"severity": 0, "risk": []}, kind="news"),
    row(3, "瀚川置业被诉", "train", {"severity": 1, "risk": ["legal", "reputation"]}, lang="zh", source="board"),
    row(4, SECRET, "test", {"severity": 2, "risk": ["earnings"], "mood": "grim"}),
]
SECOND = [
    {"id": "r-1", "labels": {"severity": 2, "risk": ["earnings"]}},
    {"id": "r-2", "labels": {"severity": 0, "risk": []}},
    {"id": "r-3", "labels": {"severity": 2, "risk": ["legal"]}},
    {"id": "unknown", "labels": {"severity": 3}},
]


def test_the_card_counts_and_quotes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "one.jsonl", ROWS)
    write(tmp_path / "two.jsonl", [row(1, "Bolt rises", "valid", {"sentiment": "positive"})])
    write(tmp_path / "second.jsonl", SECOND)
    out = tmp_path / "card.md"
    done = CliRunner().invoke(data, ["card", "--config", str(config_for(tmp_path)), "--out", str(out)])
    assert (done.exit_code, done.output) == (0, "")
    lines = out.read_text().splitlines()
    for line in (
        "| `one.jsonl` | 3 | 0 | 1 | 0 | 4 | a wire \\| desk | MIT |",
        "| `two.jsonl` | 0 | 1 | 0 | 0 | 1 | not told | not told |",
        "| `one.jsonl` | 1 | 1 | 0 |",
        "| all | 1 | 1 | 0 |",
        "| earnings | 1 | 0 | 1 | 0 | 2 |",
        "| none of them | 1 | 0 | 0 | 0 | 1 |",
        "| grim | 0 | 0 | 1 | 0 | 1 |",
        "| zh | 1 | 0 | 0 | 0 | 1 |",
        "| random | 1 | 0 | 0 | 0 | 1 |",
        "| zh | 1 | 6 | 6 | 6 | 6 |",
        "| legal | 1 | 1.00 |",
        "| reputation | 1 | 0.00 |",
    ):
        assert line in lines
    assert "labels 3 rows again" in out.read_text() and "same in 66.7%" in out.read_text()
    assert not any(each["text"] in out.read_text() for each in ROWS)
    printed = CliRunner().invoke(data, ["card", "--config", str(tmp_path / "train.toml")])
    assert printed.stdout == out.read_text()


def test_agreement_is_beyond_chance() -> None:
    first = [msgspec.convert(row(n, "t", "train", {"severity": n % 4, "risk": []}), Row) for n in range(8)]
    same = [SecondLabels(each.id, each.labels) for each in first]
    turned = [SecondLabels(each.id, {"severity": (each.labels["severity"] + 1) % 4}) for each in first]
    full, none = agreement(first, same, 4), agreement(first, turned, 4)
    assert (full.rows, full.same_severity, full.kappas["severity, exact"]) == (8, 1.0, 1.0)
    assert (none.same_severity, round(none.kappas["severity, exact"], 3)) == (0.0, -0.333)
    assert full.positives == {"adverse or not": 6, "material or not": 4, "severe or not": 2}
    assert agreement(first, [], 4).rows == 0


def test_a_check_tells_every_mistake_and_ends_with_two(tmp_path: Path) -> None:
    good = write(tmp_path / "good.jsonl", ROWS)
    bad = write(tmp_path / "bad.jsonl", [ROWS[0], {**ROWS[1], "split": "dev"}, {**ROWS[0], "text": "other"}])
    done = CliRunner().invoke(data, ["check", str(good)], standalone_mode=False)
    assert done.return_value == 0
    assert done.stdout == f"{good}: 4 rows, 0 mistakes; severity 4, risk 4, mood 1 (not heads of ours: mood)\n"
    done = CliRunner().invoke(data, ["check", str(good), str(bad)], standalone_mode=False)
    assert done.return_value == 2 and f"{bad}: 1 rows, 2 mistakes" in done.stdout
    assert [line.split(" = ")[0] for line in done.stderr.splitlines()] == [f"{bad}:2 split", f"{bad}:3 id"]


def test_a_check_with_a_config_knows_its_labels(tmp_path: Path) -> None:
    file = write(tmp_path / "one.jsonl", [row(1, "t", "train", {"risk": ["weather"]})])
    assert CliRunner().invoke(data, ["check", str(file)], standalone_mode=False).return_value == 0
    done = CliRunner().invoke(data, ["check", str(file), "--config", str(SHIPPED)], standalone_mode=False)
    assert done.return_value == 2 and "'weather' is not a label" in done.stderr


def test_a_fetched_set_keeps_its_published_test_split(tmp_path: Path) -> None:
    published = "\n".join(f'"Firm {n} of {n * 31} reports, at length",{n % 3}' for n in range(200))
    (tmp_path / "sent_train.csv").write_text(f"text,label\n{published}\n")
    (tmp_path / "sent_valid.csv").write_text('text,label\n"Velmora\nfalls",0\nCorex soars,1\n" ",2\n', "utf-8-sig")
    done = CliRunner().invoke(
        data, ["fetch", "tfns", "--from", str(tmp_path), "--out", str(tmp_path / "out")], standalone_mode=False
    )
    assert done.return_value == 0 and "202 rows; Twitter Financial News Sentiment (zeroshot), MIT" in done.stdout
    rows = read_rows(tmp_path / "out" / "tfns.jsonl")
    splits = [each.split for each in rows]
    assert splits.count("test") == 2 and 8 < splits.count("valid") < 35
    test = [each for each in rows if each.split == "test"]
    assert [(each.id, each.text, each.labels) for each in test] == [
        ("tfns-test-0", "Velmora\nfalls", {"sentiment": "negative"}),
        ("tfns-test-1", "Corex soars", {"sentiment": "positive"}),
    ]


def test_a_headline_with_several_entities_becomes_several_rows_on_one_side(tmp_path: Path) -> None:
    decisions = "{'Velmora': 'negative', 'Corex': 'positive'}"
    (tmp_path / "SEntFiN-v1.1.csv").write_text(f'S No.,Title,Decisions,Words\n1,Corex beats Velmora,"{decisions}",3\n')
    path, count = fetch("sentfin", tmp_path / "out", tmp_path)
    rows = read_rows(path)
    assert (count, len({each.split for each in rows}), len({each.id for each in rows})) == (2, 1, 2)
    assert [(each.entity, each.labels["sentiment"]) for each in rows] == [
        ("Velmora", "negative"),
        ("Corex", "positive"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tfns", "text,label\nVelmora falls,7\n", r"sent_train\.csv:2.*label 7 is not in 0\.\.2"),
        ("tfns", "text,label\nVelmora falls,bad\n", r"sent_train\.csv:2"),
        ("tfns", "text\nVelmora falls\n", "has no column label"),
        ("sentfin", "Title,Decisions\nVelmora falls,oops(\n", "not a map of entities"),
        ("sentfin", "Title,Decisions\nVelmora falls,{'Velmora': 'sad'}\n", "not a map of entities"),
        ("nothing", "", "one of tfns, tfnt, sentfin"),
    ],
)
def test_a_published_file_that_does_not_fit_is_refused(tmp_path: Path, name: str, content: str, says: str) -> None:
    for file in RECIPES[name].files if name in RECIPES else ():
        (tmp_path / file).write_text(content)
    with pytest.raises(OperatorError, match=says):
        fetch(name, tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_reached_is_said_with_the_way_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("tfns", "sentfin"):
        with pytest.raises(OperatorError, match="--from"):
            fetch(name, tmp_path / "out")
    with pytest.raises(OperatorError, match="put sent_train"):
        fetch("tfns", tmp_path / "out", tmp_path)


def test_the_recipes_know_the_labels_of_the_shipped_config() -> None:
    assert set(load_config(SHIPPED).labels.topic) == set(TOPICS) and len(TOPICS) == 20
