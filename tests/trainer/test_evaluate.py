"""The evaluate command's parts: the table of rows, goals, comparison, bias, and the report that comes out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from riskstream.cli_models import evaluate as command
from riskstream.core.errors import OperatorError
from riskstream.scoring.manifest import read_manifest
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.data.examples import Example
from riskstream.trainer.measuring.bias import Read, bias, grid, shift, templates
from riskstream.trainer.measuring.compare import Change, Comparison, changes, compare, mcnemar
from riskstream.trainer.measuring.evaluate import evaluate
from riskstream.trainer.measuring.goals import GOALS, Goal, judge
from riskstream.trainer.measuring.report import table
from riskstream.trainer.measuring.scored import Scored, figure, kin, scored
from riskstream.trainer.measuring.slices import bucket, full_slices

TINY = Path(__file__).parents[2] / "models" / "tiny" / "1"
SENTIMENTS = ("negative", "neutral", "positive")


def example(text: str, entity: str = "", **told: Any) -> Example:
    """A row with what a case tells of it."""
    plain: dict[str, Any] = {"lang": "en", "source": "t", "kind": "", "split": "test", "parts": ("rows",)}
    plain |= {"repeat": 1.0, "kin": 1, "sentiment": None, "severity": None, "risk": None, "topic": None}
    return Example(text=text, entity=entity, **(plain | told))


def rows_of(examples: list[Example], **sure: list[int]) -> Scored:
    """A table in which the version is sure of one label a row, by head; severity is 0 unless told."""
    manifest = read_manifest(TINY)
    logits = {
        head: 8.0 * np.eye(len(getattr(manifest.labels, head)))[sure.get(head, [0] * len(examples))]
        for head in ("sentiment", "severity", "topic")
    }
    logits["risk"] = np.full((len(examples), len(manifest.labels.risk)), -8.0)
    return scored(logits, examples, manifest)


def value(name: str, rows: Scored) -> tuple[float, int]:
    """A figure and what it rests on."""
    part = rows.labelled(name.split(".")[0])
    measure, n = figure(name, part)
    return float(measure(np.ones((1, len(part.examples))))[0]), n


def test_pairs_are_right_only_if_all_of_a_text_is() -> None:
    pairs = [("x", "A", 0), ("x", "B", 2), ("y", "A", 0), ("y", "B", 1), ("z", "A", 2), ("z", "B", 2)]
    examples = [example(text, entity, sentiment=label) for text, entity, label in pairs]
    rows = rows_of(examples, sentiment=[0, 2, 0, 0, 0, 0])
    assert value("sentiment.pairs_differ", rows) == (0.5, 2)
    assert value("sentiment.pairs_opposed", rows) == (1.0, 1)
    assert kin(rows, opposed=False)[0].tolist() == [0, 2]


def test_the_score_is_judged_on_rows_with_a_severity() -> None:
    levels = [None, 0, 0, 1, 2, 3]
    examples = [example(str(k), severity=level) for k, level in enumerate(levels)]
    rows = rows_of(examples, severity=[3, 3, 0, 0, 0, 3])
    assert value("risk_score.false_alarms", rows) == (0.5, 2)
    assert value("risk_score.recall", rows) == (0.5, 2)
    assert value("severity.accuracy", rows) == (pytest.approx(0.4), 5)


def test_slices_are_cut_by_what_a_row_says_of_itself() -> None:
    examples = [
        example("short", parts=("annotated",), picked="random"),
        example("x" * 90, "A", lang="zh", kind="filing", parts=("test.zh",)),
        example("y", parts=("annotated", "tfns"), picked="uncertain"),
    ]
    found = full_slices(examples)
    assert (found["real"], found["real random"], found["real plain"], found["real hard"]) == ([0, 2], [0], [0], [2])
    assert found["written"] == found["lang:zh"] == found["entity:given"] == found["chars:80-159"] == [1]
    assert found["kind:filing"] == [1] and "kind:" not in found and found["picked:random"] == [0]
    assert [bucket(n) for n in (0, 39, 40, 400)] == ["0-39", "0-39", "40-79", "400-"]


@pytest.mark.parametrize(
    ("count", "asked", "figure_", "verdict", "short"),
    [
        (100, 0.4, "severity.accuracy", "met", 0.0),
        (100, 0.6, "severity.accuracy", "short", 0.1),
        (98, 0.6, "severity.accuracy", "few rows", 0.0),
        (100, None, "severity.accuracy", "no goal", 0.0),
        (0, 0.6, "severity.accuracy", "not told", 0.0),
        (100, 0.6, "risk_score.false_alarms", "few rows", 0.0),
        (200, 0.6, "risk_score.false_alarms", "met", 0.0),
        (200, 0.3, "risk_score.false_alarms", "short", 0.2),
    ],
)
def test_a_goal_is_met_or_short_or_has_too_few_rows(
    count: int, asked: float | None, figure_: str, verdict: str, short: float
) -> None:
    examples = [example(str(k), severity=3 * (k % 4 > 1), parts=("annotated",)) for k in range(count)]
    rows = rows_of(examples, severity=[3 * (k % 2) for k in range(count)])
    (found,) = judge(rows, draws=20, goals=[Goal("x", "real", figure_, asked)])
    assert (found.verdict, found.short) == (verdict, pytest.approx(short))


def test_leaked_rows_are_left_out_and_counted() -> None:
    examples = [example(str(k), topic=0, parts=("tfnt",), id=f"r{k}") for k in range(10)]
    (found,) = judge(rows_of(examples), {"r1", "3", "9999"}, draws=5, goals=[Goal("t", "tfnt", "topic.accuracy")])
    assert (found.n, found.removed, found.found.value) == (8, 2, 1.0)


def test_every_goal_names_a_slice_and_a_figure_that_there_are() -> None:
    files = ("annotated", "test.en", "test.zh", "tfns", "tfnt", "sentfin")
    labels: dict[str, Any] = {"sentiment": 1, "severity": 1, "risk": (0,), "topic": 0}
    examples = [example(f"{file} {k}", parts=(file,), picked=pick, **labels)
                for k, pick in enumerate(("random", "rare")) for file in files]  # fmt: skip
    found = judge(rows_of(examples), draws=5)
    slices = full_slices(examples)
    assert len(found) == len(GOALS) >= 20 and {goal.slice for goal in GOALS} <= set(slices)


@pytest.mark.parametrize(
    ("new", "old", "p"),
    [([1, 1, 1], [1, 1, 1], 1.0), ([1] * 6, [0] * 6, 2 / 64), ([1, 0], [0, 1], 1.0), ([1] * 2000, [0] * 2000, 0.0)],
)
def test_mcnemar_is_a_coin_thrown_for_the_rows_that_differ(new: list[int], old: list[int], p: float) -> None:
    assert mcnemar(np.array(new, dtype=bool), np.array(old, dtype=bool)) == pytest.approx(p)


def change(delta: float, low: float, high: float) -> Change:
    return Change("all", "severity.kappa", 100, 0.8, 0.8 + delta, delta, low, high, 0.5)


@pytest.mark.parametrize(
    ("moved", "margin", "not_worse", "proven"),
    [
        ([(0.0, 0.0, 0.0)], 0.0, True, True),
        ([(-0.02, -0.05, 0.01)], 0.0, True, False),
        ([(-0.02, -0.03, -0.01)], 0.0, False, False),
        ([(-0.02, -0.03, -0.01)], 0.03, True, True),
        ([(0.1, 0.05, 0.2), (-0.02, -0.03, -0.01)], 0.01, False, False),
        ([], 0.0, False, False),
    ],
)
def test_not_worse_is_no_sure_fall_beyond_the_margin(
    moved: list[tuple[float, float, float]], margin: float, not_worse: bool, proven: bool
) -> None:
    found = Comparison("b", "a", tuple(change(*one) for one in moved))
    assert (found.not_worse(margin), found.not_worse(margin, proven=True)) == (not_worse, proven)


def test_a_version_against_itself_moves_nothing() -> None:
    scorer = TorchScorer.load(TINY, device="cpu")
    examples = [example(f"text {k}", severity=k % 4, sentiment=k % 3, risk=(k % 2,)) for k in range(40)]
    found = compare(scorer, scorer, examples, draws=50)
    assert len(found.changes) >= 5 and found.not_worse() and found.not_worse(0.0, proven=True)
    assert all((c.delta, c.low, c.high, c.p) == (0.0, 0.0, 0.0, 1.0) for c in found.changes)


def test_a_version_that_forgot_is_worse_and_the_other_way_round_better() -> None:
    truth = [k % 4 for k in range(200)]
    examples = [example(f"text {k}", severity=level) for k, level in enumerate(truth)]
    good, bad = rows_of(examples, severity=truth), rows_of(examples, severity=[3 * (k % 3 > 0) for k in range(200)])
    asked = [("all", name, range(200)) for name in ("severity.kappa", "severity.accuracy", "risk_score.false_alarms")]
    for new, old, sign in ((good, bad, 1), (bad, good, -1)):
        found = changes(new, old, asked, draws=100)
        assert [c.figure for c in found] == [name for _, name, _ in asked]
        assert all(sign * c.delta > 0 and sign * c.low > 0 and sign * c.high > 0 and c.p < 0.05 for c in found)
        assert [c.mcnemar_p is None for c in found] == [True, False, False]
    assert changes(good, bad, [("few", "severity.kappa", range(10))], draws=10) == ()


def test_a_gap_is_within_an_event() -> None:
    read = Read([0.1, 0.1, 0.9, 0.5], [0.0, 0.0, 3.0, 2.0], [0, 0, 3, 2])
    found = grid(read, 2, ["x", "y"])
    assert (found["risk_gap_mean"], found["risk_gap_max"], found["same_level"]) == (0.2, 0.4, 0.5)
    assert found["risk_by_group"] == {"x": 0.1, "y": -0.1} and found["severity_gap_max"] == 1.0
    moved = shift(Read([0.9, 0.5], [3.0, 2.0], [3, 2]), Read([0.1, 0.6], [0.0, 2.0], [0, 2]))
    assert (moved["risk_shift_mean"], moved["risk_gap_max"], moved["level_changed"]) == (-0.35, 0.8, 0.5)


def test_the_templates_are_whole() -> None:
    told = templates()
    assert len(told.events) >= 40 and {event.severity for event in told.events} == {0, 1, 2, 3}
    assert all("{name}" in event.en and "{name}" in event.zh for event in told.events)
    assert all("{place}" in event.en and "{place}" in event.zh for event in told.place_events)
    assert len({event.id for event in told.events}) == len(told.events)
    groups = [{group: len(names) for group, names in named.items()} for named in (told.names, told.names_zh)]
    assert groups[0] == groups[1] and len(groups[0]) == 5
    assert all(entity in text for pairs in told.harsh.values() for entity, text in pairs)
    assert set(told.harsh) == set(told.injections) == {"en", "zh"}


@pytest.fixture
def version(tmp_path: Path) -> Callable[[], tuple[Path, Path]]:
    """A copy of the tiny version that names a file of invented rows, and where that file lies."""

    def build() -> tuple[Path, Path]:
        model, data = tmp_path / "tiny" / "1", tmp_path / "data"
        shutil.copytree(TINY, model)
        manifest = read_manifest(model)
        (model / "manifest.json").write_bytes(
            msgspec.json.encode(msgspec.structs.replace(manifest, data={"risk/annotated.jsonl": "0"}))
        )
        (data / "risk").mkdir(parents=True)
        lines = []
        for k in range(120):
            labels = {"severity": k % 4, "risk": ["credit"] if k % 4 else [], "sentiment": SENTIMENTS[k % 3]}
            row = {"id": f"r{k}", "text": f"Halden note {k // 2}", "entity": "Halden" if k % 2 else "", "source": "t"}
            row |= {"lang": "en", "split": "test", "labels": labels | {"topic": "Macro"}, "picked": "random"}
            lines.append(json.dumps(row))
        (data / "risk" / "annotated.jsonl").write_text("\n".join(lines))
        return model, data

    return build


def test_the_command_leaves_a_report_and_ends_in_json(version: Callable[[], tuple[Path, Path]]) -> None:
    model, data = version()
    arguments = [str(model), "--data", str(data), "--against", str(model), "--draws", "20"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["model"] == "tiny@1" and found["test"]["all"]["severity"]["n"] == 120
    assert "| severity |" in done.stderr and "reports" in done.stderr
    out = model / "reports"
    whole = json.loads((out / "evaluation.json").read_text())
    assert {path.name for path in out.iterdir()} == {
        "evaluation.json", "evaluation.md",
        "reliability.svg", "precision_recall.svg", "confusion.svg", "risk_score.svg",
    }  # fmt: skip
    assert sum(path.stat().st_size for path in out.iterdir()) < 600_000
    assert sum(map(sum, whole["slices"]["all"]["severity"]["confusion"])) == 120
    assert {c["delta"] for c in whole["against"]["changes"]} == {0.0} and len(whole["goals"]) == len(GOALS)
    text = (out / "evaluation.md").read_text()
    assert all(part in text for part in ("Against tiny@1", "must not depend on", "![confusion.svg]", "| chars:0-39 |"))


def test_the_same_figures_give_the_same_bytes(version: Callable[[], tuple[Path, Path]], tmp_path: Path) -> None:
    model, data = version()
    for name in ("a", "b"):
        evaluate(model, data, out=tmp_path / name, checks=False, draws=10)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 6
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_what_cannot_be_measured_is_the_operators_to_mend(
    version: Callable[[], tuple[Path, Path]], tmp_path: Path
) -> None:
    model, data = version()
    with pytest.raises(OperatorError, match="has rows of it"):
        evaluate(model, data, "valid")
    with pytest.raises(OperatorError, match=r"missing\.jsonl|no such file"):
        evaluate(model, tmp_path / "missing")
    arguments = [str(model), "--leaked", str(tmp_path / "none.txt")]
    with pytest.raises(OperatorError, match="no such file"):
        CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)


def test_bias_is_measured_on_a_real_scorer() -> None:
    told = templates()
    few = msgspec.structs.replace(told, events=told.events[:3], place_events=told.place_events[:2])
    found = bias(TorchScorer.load(TINY, device="cpu"), few)
    json.dumps(found, allow_nan=False)
    assert found["names"]["en"]["n"] == 3 * 20 and found["places"]["zh"]["events"] == 2
    assert found["injections"]["en before"]["n"] == 3 * len(told.injections["en"])
    assert 0 <= found["harsh_words"]["zh"]["false_alarms"] <= 1


def test_a_cell_with_a_bar_does_not_break_the_table() -> None:
    assert table(("a",), [("Legal | Regulation",)]).splitlines()[-1] == "| Legal / Regulation |"
