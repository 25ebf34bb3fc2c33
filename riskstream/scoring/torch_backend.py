"""The `Scorer` that runs a version with torch, on a CPU or a GPU.

    version directory ──► hashes ──► manifest, tokenizer, packed weights ──► network ──► batch ──► predictions

Rule 1. Nothing of a version is read before its hash has been checked; what is wrong is an OperatorError (exit code 2).
Rule 2. `device = "cuda"` without a GPU is an error; only `auto` may choose.
Rule 3. A text's probabilities move by no more than 0.005 with its company. The kernels pick their order of summation
        by the shape of the batch, so they move by about 4e-6 in float32; in bfloat16 on a CPU they move by up to 0.018,
        so that is refused rather than offered with a broken promise.
Rule 4. An item whose output is not finite yields a Prediction with `risk_score` nan, and harms none beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoConfig

from riskstream.core.errors import OperatorError
from riskstream.core.passages import Span
from riskstream.core.records import Encoded, Labels, Prediction
from riskstream.scoring.calibration import Array, predictions
from riskstream.scoring.heads import Pooling, RiskNet, pad
from riskstream.scoring.manifest import CONFIG, RESTORE, TOKENIZER, WEIGHTS, Manifest, read_manifest, verify
from riskstream.scoring.tokenizer import PairTokenizer
from riskstream.scoring.weights import unpack

Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["float32", "bfloat16"]


class TorchScorer:
    """A loaded version. `encode` may run on any thread; `score` on one at a time."""

    def __init__(
        self, net: RiskNet, tokenizer: PairTokenizer, manifest: Manifest, device: torch.device, dtype: Dtype
    ) -> None:
        self.name = f"{manifest.name}@{manifest.version}"
        self.labels: Labels = manifest.labels
        self.calibration = manifest.calibration
        self.pads = True
        self.backend = f"torch {device.type} {dtype}"
        self.tokens_max, self.per_log = manifest.tokens_max, manifest.per_log
        self.manifest = manifest
        self.device = device
        self.net, self._tokenizer, self._mixed = net, tokenizer, dtype == "bfloat16"

    @classmethod
    def load(
        cls, directory: Path, *, device: Device = "auto", dtype: Dtype = "float32", threads: int = 0
    ) -> TorchScorer:
        """Verify and load a version directory; seconds for a real one.

        `threads` are the CPU threads of this process's torch; 0 leaves them. Raises OperatorError for a missing,
        damaged or unfitting file and for a device that is not there.
        """
        where = chosen_device(device)
        if dtype == "bfloat16" and where.type == "cpu":
            problem = "on a CPU a score would move by up to 0.02 with the texts that share its batch"
            raise OperatorError("models.dtype", dtype, problem, 'set it to "float32", or models.device to "cuda"')
        manifest = read_manifest(directory)
        verify(directory, manifest)
        if threads:
            torch.set_num_threads(threads)
        net = _network(directory, manifest).to(where).eval()
        return cls(net, PairTokenizer.load(directory / TOKENIZER, manifest.tokens_max), manifest, where, dtype)

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, ...]]:
        """Token ids of (entity, text) pairs, at most the manifest's `tokens_max`; the text alone without an entity."""
        return self._tokenizer.encode(pairs)

    def pieces(self, text: str) -> list[Span]:
        """The place in the text of each of its tokens, in order."""
        return self._tokenizer.pieces(text)

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        """Calibrated probabilities, one per item, in order; `risk_score` is nan where the output was not finite."""
        if not batch:
            return []
        logits = self.logits([item.tokens for item in batch])
        return predictions(logits, self.manifest.temperatures, self.manifest.risk_score)

    def logits(self, rows: Sequence[tuple[int, ...]]) -> dict[str, Array]:
        """Raw outputs per head, float64 (texts × labels), of rows of token ids that are run as one batch."""
        ids, mask = pad(list(rows), self.manifest.pad_id)
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self._mixed):
            found = self.net(ids.to(self.device), mask.to(self.device))
            return {head: values.cpu().numpy().astype(np.float64) for head, values in found.items()}


def chosen_device(device: Device) -> torch.device:
    """The device of a setting. Raises OperatorError for `cuda` where there is no GPU that torch can use."""
    if device == "cuda" and not torch.cuda.is_available():
        raise OperatorError(
            "models.device", device, "torch sees no GPU", 'install a driver, or set it to "auto" or "cpu"'
        )
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def _network(directory: Path, manifest: Manifest) -> RiskNet:
    """The network in float32, with the version's weights in it."""
    sizes = {head: len(getattr(manifest.labels, head)) for head in ("sentiment", "severity", "risk", "topic")}
    config, path = AutoConfig.from_pretrained(directory), directory / WEIGHTS
    try:
        state = unpack(load_file(path))
        if getattr(config, "num_hidden_layers", 0) > len(state):
            raise ValueError(f"num_hidden_layers = {config.num_hidden_layers}, and there are {len(state)} weights")
        for device in ("meta", "cpu"):  # first as shapes alone: what does not fit may not take memory
            with torch.device(device):
                net = RiskNet(config, sizes, cast("Pooling", manifest.pooling), manifest.end_id)
            net.load_state_dict(state, assign=device == "meta")
    except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise OperatorError("model", str(path), f"does not fit {CONFIG}: {error}", RESTORE) from error
    return net
