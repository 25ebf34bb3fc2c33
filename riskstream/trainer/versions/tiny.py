"""Builds `models/tiny/1`: random weights in a few KB, so that tests run the real path in milliseconds.

    python -m riskstream.trainer.versions.tiny [models]

It knows nothing: its scores are a function of the seed. Its pieces are bytes, so it reads any language.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig

from riskstream.core.records import Labels
from riskstream.scoring.heads import RiskNet
from riskstream.scoring.manifest import Manifest, Platt, Thresholds
from riskstream.trainer.fitting.network import head_sizes
from riskstream.trainer.versions.publish import write_version

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
LABELS = Labels(
    sentiment=("negative", "neutral", "positive"),
    severity=("none", "watch", "material", "severe"),
    risk=(
        *("credit", "liquidity", "market", "earnings", "legal", "regulatory"),
        *("fraud", "governance", "operational", "cyber", "macro", "reputation"),
    ),
    topic=("Earnings", "Legal | Regulation", "Macro"),
)


def byte_tokenizer() -> Tokenizer:
    """A tokenizer whose pieces are the 256 bytes, with the pair frame of the shipped model."""
    pieces = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))  # noqa: S106 (a piece, not a secret)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B:0 </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def build_tiny(root: Path, seed: int = 7, version: str = "1", labels: Labels = LABELS) -> Path:
    """Write `<root>/tiny/<version>` and return it; the same bytes for the same seed and library versions."""
    torch.manual_seed(seed)
    tokenizer = byte_tokenizer()
    shape = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        pad_token_id=1,
    )
    net = RiskNet(shape, head_sizes(labels), "mean")
    for weight in net.parameters():
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.5)
    manifest = Manifest(
        name="tiny",
        version=version,
        labels=labels,
        pooling="mean",
        pad_id=1,
        tokens_max=128,
        temperatures={"sentiment": 1.0, "severity": 1.0, "risk": 1.0, "topic": 1.0},
        risk_score=Platt(),
        thresholds=Thresholds(risk_score=0.5, risk=(0.5,) * len(labels.risk), severity=(0.5, 0.5, 0.5)),
        files={},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(str(path))
        directory = root / "tiny" / version
        write_version(directory, state=net.state_dict(), shape=shape.to_dict(), tokenizer=path, manifest=manifest)
    return directory


if __name__ == "__main__":
    print(json.dumps({"written": str(build_tiny(Path(sys.argv[1] if len(sys.argv) > 1 else "models")))}))
