"""A network that is not published yet, as the scorer that it would be: float32, nothing calibrated."""

from __future__ import annotations

from pathlib import Path

import torch

from riskstream.core.records import Labels
from riskstream.scoring.heads import RiskNet
from riskstream.scoring.manifest import Manifest, Platt, Thresholds
from riskstream.scoring.tokenizer import PairTokenizer
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.config import ModelConfig
from riskstream.trainer.fitting.network import end_id, pad_id


def draft_manifest(model: ModelConfig, labels: Labels, base: Path) -> Manifest:
    """What can be said of a version before it is calibrated and measured."""
    return Manifest(
        name=model.name,
        version=model.version,
        labels=labels,
        pooling=model.pooling,
        pad_id=pad_id(base),
        tokens_max=model.tokens_max,
        temperatures={},
        risk_score=Platt(),
        thresholds=Thresholds(0.5, (0.5,) * len(labels.risk), (0.5,) * (len(labels.severity) - 1)),
        files={},
        end_id=end_id(base),
        parent=Path(model.base).name,
    )


def draft_scorer(net: RiskNet, model: ModelConfig, labels: Labels, base: Path) -> TorchScorer:
    """The network as a scorer, on the device where it is; the caller puts it into evaluation mode."""
    tokenizer = PairTokenizer.load(base / "tokenizer.json", model.tokens_max)
    device = next(net.parameters()).device
    return TorchScorer(net, tokenizer, draft_manifest(model, labels, base), torch.device(device), "float32")
