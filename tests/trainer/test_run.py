"""The trainer's command from end to end, on a base of a few KB and rows that a child could learn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from riskstream.core.errors import OperatorError
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.measuring.evaluate import evaluate
from riskstream.trainer.versions.run import train
from riskstream.trainer.versions.tiny import build_tiny
from tests.trainer.bases import small_run, toml_value, write_base, write_config, write_rows

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


@pytest.mark.timeout(600)
def test_two_processes_share_a_run_of_legs_and_go_by_one_clock(tmp_path: Path) -> None:
    small_run(tmp_path)
    leg = {"epochs": 1.0, "minutes_max": 5.0, "learning_rate": 0.01, "head_learning_rate": 0.01, "seed": 3}
    path = tmp_path / "train.toml"
    path.write_text(f"legs = {toml_value([leg, {**leg, 'epochs': 500.0, 'minutes_max': 0.05}])}\n" + path.read_text())
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "riskstream"]
    done = subprocess.run(
        [sys.executable, *command, "train", "--config", str(path)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=540, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = done.stdout.splitlines()  # one process speaks
    found = json.loads(line)
    assert found["fit"]["finished"] and Path(found["version"], "manifest.json").is_file()
    assert 3 <= found["fit"]["seconds"] < 60  # the second leg was ended by its clock


def test_a_version_without_data_cannot_be_evaluated() -> None:
    with pytest.raises(OperatorError, match="names no data files"):
        evaluate(ROOT / "models" / "tiny" / "1", ".")


def test_the_tiny_version_is_built_from_its_seed(tmp_path: Path) -> None:
    built = build_tiny(tmp_path)
    shipped = ROOT / "models" / "tiny" / "1"
    assert {p.name for p in built.iterdir()} == {p.name for p in shipped.iterdir()}
    pair = [("Acme", "Acme files for bankruptcy")]
    assert TorchScorer.load(built).encode(pair) == TorchScorer.load(shipped).encode(pair)
