"""The trainer's command from end to end, on a base of a few KB and rows that a child could learn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from riskstream.core.errors import OperatorError
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.evaluate import evaluate
from riskstream.trainer.run import train
from riskstream.trainer.tiny import build_tiny
from tests.trainer.bases import write_base, write_config, write_rows

ROOT = Path(__file__).parents[2]


def test_rows_go_in_and_a_measured_version_comes_out(tmp_path: Path) -> None:
    write_base(tmp_path / "base")
    write_rows(tmp_path / "data")
    found = train(write_config(tmp_path))
    json.dumps(found, allow_nan=False)
    assert found["fit"]["finished"] and found["fit"]["steps"] > 5
    directory = Path(found["version"])
    assert sorted(file.name for file in directory.iterdir()) == [
        "card.md", "config.json", "golden.json", "manifest.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    scorer = TorchScorer.load(directory, device="cpu")
    assert scorer.manifest.parent == "base" and set(scorer.manifest.data) == {"rows.jsonl"}
    assert set(scorer.manifest.metrics) == {"valid", "test", "packing_loss"}
    measured = evaluate(directory, tmp_path / "data")
    assert measured["test"]["all"] == scorer.manifest.metrics["test"]["all"]
    assert measured["test"]["all"]["risk_score"]["n"] == 40


def test_a_version_without_data_cannot_be_evaluated() -> None:
    with pytest.raises(OperatorError, match="names no data files"):
        evaluate(ROOT / "models" / "tiny" / "1", ".")


def test_the_tiny_version_is_built_from_its_seed(tmp_path: Path) -> None:
    built = build_tiny(tmp_path)
    shipped = ROOT / "models" / "tiny" / "1"
    assert {p.name for p in built.iterdir()} == {p.name for p in shipped.iterdir()}
    pair = [("Acme", "Acme files for bankruptcy")]
    assert TorchScorer.load(built).encode(pair) == TorchScorer.load(shipped).encode(pair)
