"""A base of a few KB, rows that a child could learn, and the config of a run over them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save_file
from transformers import AutoModel, BertConfig

from riskstream.trainer.config import TrainConfig, load_config

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "train" / "finrisk.toml"
TEXTS = {
    0: ("Acme does fine", []),
    1: ("Acme slips", ["market"]),
    2: ("Acme fined!", ["legal"]),
    3: ("Acme is bust", ["credit"]),
}


def write_base(folder: Path, layers: int = 1) -> None:
    """An encoder with random weights, laid out as a base is."""
    torch.manual_seed(1)
    folder.mkdir()
    shutil.copy(ROOT / "models" / "tiny" / "1" / "tokenizer.json", folder / "tokenizer.json")
    shape = json.loads((ROOT / "models" / "tiny" / "1" / "config.json").read_text()) | {"num_hidden_layers": layers}
    (folder / "config.json").write_text(json.dumps(shape))
    encoder = AutoModel.from_config(BertConfig(**shape))
    state = {name: tensor for name, tensor in encoder.state_dict().items() if not name.startswith("pooler.")}
    save_file(state, folder / "model.safetensors")


def write_rows(folder: Path) -> None:
    """160, 40 and 40 rows whose words tell their labels."""
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


def write_config(folder: Path, **sections: dict[str, Any]) -> Path:
    """The shipped config with its paths and its size turned down; `sections` change keys of its tables."""
    config = msgspec.toml.decode(SHIPPED.read_bytes())
    del config["auxiliary"], config["legs"], config["calibration"]
    config["cache"], config["models"] = str(folder / "cache"), str(folder / "models")
    config["data"] = {"root": str(folder / "data"), "files": [{"path": "rows.jsonl"}]}
    config["model"] |= {"base": str(folder / "base"), "freeze_layers": 0, "tokens_max": 64}
    config["fit"] |= {"epochs": 3.0, "batch_tokens": 512, "precision": "float32", "tokens_max": 64}
    config["fit"] |= {"threads": torch.get_num_threads(), "learning_rate": 0.01, "evaluations": 0, "metric": "mean"}
    for section, changes in sections.items():
        config.setdefault(section, {}).update(changes)
    path = folder / "train.toml"
    path.write_text(as_toml(config))
    return path


def as_toml(config: dict[str, Any]) -> str:
    """Enough TOML for a training config: plain keys, and tables in tables."""
    plain = [f"{key} = {toml_value(value)}" for key, value in config.items() if not isinstance(value, dict)]
    tables = [f"[{name}]\n{as_toml(_dotted(name, table))}" for name, table in config.items() if isinstance(table, dict)]
    return "\n".join([*plain, *tables])


def _dotted(name: str, table: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}.{key}" if isinstance(value, dict) else key: value for key, value in table.items()}


def toml_value(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return (
            "["
            + ", ".join("{" + ", ".join(f"{k} = {toml_value(v)}" for k, v in one.items()) + "}" for one in value)
            + "]"
        )
    return json.dumps(value)


def small_run(folder: Path, layers: int = 1, **sections: dict[str, Any]) -> TrainConfig:
    """Everything that a run needs, in `folder`, and its config."""
    write_base(folder / "base", layers)
    write_rows(folder / "data")
    return load_config(write_config(folder, **sections))
