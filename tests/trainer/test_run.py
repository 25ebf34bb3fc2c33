"""The trainer's command from end to end, on a base of a few KB and rows that a child could learn."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel

from riskstream.core.errors import OperatorError
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.evaluate import evaluate
from riskstream.trainer.run import train
from riskstream.trainer.tiny import build_tiny

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "train" / "finrisk.toml"
TEXTS = {
    0: ("Acme does fine", []),
    1: ("Acme slips", ["market"]),
    2: ("Acme fined!", ["legal"]),
    3: ("Acme is bust", ["credit"]),
}


def write_base(folder: Path) -> None:
    """An encoder with random weights, laid out as a base is."""
    torch.manual_seed(1)
    folder.mkdir()
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(ROOT / "models" / "tiny" / "1" / name, folder / name)
    encoder = AutoModel.from_config(AutoConfig.from_pretrained(folder))
    save_file(
        {name: t for name, t in encoder.state_dict().items() if not name.startswith("pooler.")},
        folder / "model.safetensors",
    )


def write_rows(folder: Path) -> None:
    folder.mkdir()
    base = {"entity": "Acme", "lang": "en", "source": "t"}
    rows = []
    for split, count in (("train", 160), ("valid", 40), ("test", 40)):
        for n in range(count):
            text, risk = TEXTS[n % 4]
            sentiment = "neutral" if n % 4 == 0 else "negative"
            labels = {"severity": n % 4, "risk": risk, "sentiment": sentiment, "topic": "Macro"}
            rows.append({**base, "id": f"{split}-{n}", "text": f"{text} {split} {n}", "split": split, "labels": labels})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))


def write_config(folder: Path) -> Path:
    """The shipped config with its paths and its size turned down."""
    config = msgspec.toml.decode(SHIPPED.read_bytes())
    config["cache"], config["models"] = str(folder / "cache"), str(folder / "models")
    config["data"] = {"root": str(folder / "data"), "files": []}
    config["model"] |= {"base": str(folder / "base"), "freeze_layers": 0, "tokens_max": 64}
    config["fit"] |= {"epochs": 3.0, "batch_tokens": 512, "bfloat16": False, "tokens_max": 64, "learning_rate": 0.01}
    config["fit"] |= {"threads": torch.get_num_threads()}
    path = folder / "train.toml"
    path.write_text(as_toml(config).replace("files = []", 'files = [{path = "rows.jsonl"}]'))
    return path


def as_toml(config: dict[str, Any]) -> str:
    """Enough TOML for a training config: plain keys, tables, and tables in tables."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in config.items() if not isinstance(value, dict)]
    for section, table in config.items():
        if isinstance(table, dict):
            inner = {f"{section}.{key}": value for key, value in table.items() if isinstance(value, dict)}
            plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
            lines += [f"[{section}]", as_toml(plain), as_toml(inner)]
    return "\n".join(lines)


def test_rows_go_in_and_a_measured_version_comes_out(tmp_path: Path) -> None:
    write_base(tmp_path / "base")
    write_rows(tmp_path / "data")
    found = train(write_config(tmp_path))
    json.dumps(found, allow_nan=False)
    assert found["fit"]["finished"] and found["fit"]["steps"] > 5
    directory = Path(found["version"])
    assert sorted(file.name for file in directory.iterdir()) == [
        "card.md", "config.json", "manifest.json", "model.safetensors", "tokenizer.json",
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
