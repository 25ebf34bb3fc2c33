"""The `Scorer` that runs a version on a CPU with OpenVINO's integer kernels; it needs no torch.

    version directory ──► hashes ──► manifest, tokenizer, graph ──► compiled once, a stream a core
    batch ──► cut into slices of texts of one length ──► streams, side by side ──► logits ──► predictions

Rule 1. A text's numbers are the same, to the last bit, in any company. Activations become 8-bit integers by groups of
        `GROUP` neighbours within one token, and texts of one length need no padding. Both are needed: where a neighbour
        changes the order of one float sum, a value tips to the next integer, and twelve layers make up to 0.1 of it.
Rule 2. A slice is what fits a core's cache and is run by one core. Cores share nothing, so none waits for another.
Rule 3. Nothing of a version is read before its hash has been checked; what is wrong is an OperatorError (exit code 2).
Rule 4. An item whose output is not finite yields a Prediction with `risk_score` nan, and harms none beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op
from safetensors import SafetensorError
from safetensors.numpy import load_file

from riskstream.core.asking.labels import HEADS
from riskstream.core.errors import DamagedVersion, OperatorError
from riskstream.core.passages import Span
from riskstream.core.records import Encoded, Labels, Prediction
from riskstream.scoring.calibration import Array, predictions
from riskstream.scoring.graph import build, unknown
from riskstream.scoring.manifest import CONFIG, RESTORE, TOKENIZER, WEIGHTS, Manifest, read_manifest, verify
from riskstream.scoring.slices import equal_slices
from riskstream.scoring.tokenizer import PairTokenizer

Dtype = Literal["int8", "float32"]
SLICE_TOKENS = 512
"""Tokens that one core runs at once. On a core with 1 MiB of second-level cache 512 score 1.7 × as many texts a second
as 4,096; 128 to 512 are alike (docs/PERFORMANCE.md)."""
GROUP = 128
"""Neighbouring activations that share one scale. Smaller: nearer to float32 and slower (64: 8 %)."""


class OpenVinoScorer:
    """A loaded version. `encode` may run on any thread; `score` on one at a time."""

    def __init__(
        self, compiled: ov.CompiledModel, tokenizer: PairTokenizer, manifest: Manifest, threads: int, precision: str
    ) -> None:
        self.name = f"{manifest.name}@{manifest.version}"
        self.labels: Labels = manifest.labels
        self.calibration = manifest.calibration
        self.tokens_max, self.per_log = manifest.tokens_max, manifest.per_log
        self.manifest = manifest
        self.pads = False
        self.backend = f"openvino cpu {precision}"
        self._tokenizer = tokenizer
        self._queue = ov.AsyncInferQueue(compiled, threads)
        self._queue.set_callback(_keep)
        self._ends = np.cumsum([len(getattr(manifest.labels, head)) for head in _heads(manifest)])[:-1].tolist()

    @classmethod
    def load(cls, directory: Path, *, dtype: Dtype = "int8", threads: int = 1) -> OpenVinoScorer:
        """Verify, build and compile a version directory; one to two seconds for the shipped one.

        Raises OperatorError for a missing, damaged or unfitting file and for a model that the graph does not know.
        """
        manifest = read_manifest(directory)
        verify(directory, manifest)
        config = read_config(directory)
        if why := unknown(config, manifest):
            fix = 'set models.backend = "torch" and install riskstream[gpu]'
            raise OperatorError("models.backend", "openvino", f"cannot run {directory}: {why}", fix)
        path = directory / WEIGHTS
        try:
            graph = build(config, manifest, load_file(path), _heads(manifest))
        except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
            raise OperatorError("model", str(path), f"does not fit {CONFIG}: {error}", RESTORE) from error
        core, settings = ov.Core(), _config(dtype, threads)
        compiled = core.compile_model(graph, "CPU", settings)
        tokenizer = PairTokenizer.load(directory / TOKENIZER, manifest.tokens_max)
        return cls(compiled, tokenizer, manifest, threads, _precision(core, settings))

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
        """Raw outputs per head, float64 (texts × labels), of rows of token ids."""
        cut = equal_slices([len(row) for row in rows], SLICE_TOKENS)
        found: list[NDArray[np.float32] | None] = [None] * len(cut)
        for place, members in enumerate(cut):
            ids = np.array([rows[i] for i in members], np.int32)
            self._queue.start_async([ids], (found, place))
        self._queue.wait_all()
        together = np.concatenate([part for part in found if part is not None])
        ordered = np.empty(together.shape, np.float64)
        ordered[[i for members in cut for i in members]] = together
        return dict(zip(_heads(self.manifest), np.split(ordered, self._ends, axis=1), strict=True))


def read_config(directory: Path) -> dict[str, Any]:
    """A version's `config.json`. Raises DamagedVersion where it cannot be read."""
    path = directory / CONFIG
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedVersion("model", str(path), str(error), RESTORE) from error


def _heads(manifest: Manifest) -> tuple[str, ...]:
    """The heads that this version has, in the order of its outputs."""
    return tuple(head for head in HEADS if getattr(manifest.labels, head))


def _config(dtype: Dtype, threads: int) -> dict[str, Any]:
    return {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "ENABLE_CPU_PINNING": False,  # a container's cores are shared with its neighbours
        "INFERENCE_PRECISION_HINT": "f32",  # bfloat16 would move a score with its batch mates
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP if dtype == "int8" else 0,
    }


def _keep(request: ov.InferRequest, where: tuple[list[NDArray[np.float32] | None], int]) -> None:
    found, place = where
    found[place] = request.get_output_tensor(0).data.copy()


def _precision(core: ov.Core, config: dict[str, Any]) -> str:
    """What matrices are really multiplied in: without integer dot products OpenVINO silently takes float32.

    Asked of the machine itself: beside a neighbour of 1,000 a value of 1 is nought in 8 bits.
    """
    x = op.parameter([-1, GROUP], np.float32)
    ones = op.convert(op.constant(np.ones((GROUP, GROUP), np.int8)), "f32")
    ones = ones * op.constant(np.ones((GROUP, 1), np.float32))
    probe = core.compile_model(ov.Model([op.matmul(x, ones, False, True)], [x], "probe"), "CPU", config)
    row = np.zeros((1, GROUP), np.float32)
    row[0, :2] = 1000, 1
    return "int8" if abs(float(probe([row])[0][0, 0]) - 1001) > 0.5 else "float32"
