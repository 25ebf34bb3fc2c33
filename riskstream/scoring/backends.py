"""Which runtime runs a version: one rule, and the outcome is told in `Scorer.backend`.

    models.backend   models.device
    auto             cuda, or auto where a GPU is      ─► torch
                     cpu, or auto where none is        ─► OpenVINO if it knows the model, else torch
    openvino         auto, cpu                         ─► OpenVINO
    torch            any                               ─► torch

Rule 1. The rule is by measurement, made once: OpenVINO's integer kernels score several times as many texts a second as
        torch on a CPU (docs/PERFORMANCE.md, `make bench`). Nothing is timed at a start, so a pod that starts on a busy
        machine does not come to another backend, and other last digits, than its sisters.
Rule 2. torch is imported only where it is chosen or a GPU may be there: the base install has none.
Rule 3. A setting that cannot be kept is an error that names it, never another backend in silence.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from riskstream.core.errors import OperatorError
from riskstream.core.ports import Scorer
from riskstream.scoring.graph import unknown
from riskstream.scoring.manifest import RESTORE, read_manifest
from riskstream.scoring.openvino_backend import OpenVinoScorer, read_config

Backend = Literal["auto", "openvino", "torch"]
Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["auto", "int8", "float32", "bfloat16"]
PROBLEM_CHARS_MAX = 400
GPU_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""One of these is there where a process may use a GPU. Where none is, torch need not be loaded to be asked."""


def load(directory: Path, *, backend: Backend, device: Device, dtype: Dtype, threads: int) -> Scorer:
    """A version on the backend that the settings and the rule choose. Takes seconds; runs on any thread.

    Raises OperatorError where the settings contradict each other, need what is not installed, or the version is not
    whole. Its files decide what the libraries raise, and they raise anything; so all of that is the version's fault.
    """
    try:
        return _load(directory, backend, device, dtype, threads)
    except OperatorError:
        raise
    except Exception as error:
        problem = f"cannot be loaded: {type(error).__name__}: {error}"[:PROBLEM_CHARS_MAX]
        raise OperatorError("model", str(directory), problem, RESTORE) from error


def _load(directory: Path, backend: Backend, device: Device, dtype: Dtype, threads: int) -> Scorer:
    if backend == "openvino" and device == "cuda":
        fix = 'set models.device to "cpu", or models.backend to "torch"'
        raise OperatorError("models.backend", backend, 'does not run on models.device = "cuda"', fix)
    if backend == "openvino" or (backend == "auto" and not _wants_torch(directory, device)):
        return _openvino(directory, dtype, threads)
    return _torch(directory, backend, device, dtype, threads)


def _wants_torch(directory: Path, device: Device) -> bool:
    """Whether `auto` means torch: for a GPU, or for a model that OpenVINO's graph does not know."""
    if device == "cuda" or (device == "auto" and _gpu()):
        return True
    return bool(unknown(read_config(directory), read_manifest(directory)))


def _gpu() -> bool:
    if not any(Path(path).exists() for path in GPU_FILES) or not find_spec("torch"):
        return False
    from riskstream.scoring.torch_backend import chosen_device

    return chosen_device("auto").type == "cuda"


def _openvino(directory: Path, dtype: Dtype, threads: int) -> Scorer:
    if dtype == "bfloat16":
        problem = "OpenVINO would let a score move by up to 0.02 with the texts that share its batch"
        raise OperatorError("models.dtype", dtype, problem, 'set it to "auto", "int8" or "float32"')
    return OpenVinoScorer.load(directory, dtype="float32" if dtype == "float32" else "int8", threads=threads)


def _torch(directory: Path, backend: Backend, device: Device, dtype: Dtype, threads: int) -> Scorer:
    if not find_spec("torch") or not find_spec("transformers"):
        if device == "cuda":
            raise OperatorError("models.device", device, "torch is not installed", "pip install 'riskstream[gpu]'")
        problem = "torch is not installed" if backend == "torch" else f"OpenVINO cannot run {directory}"
        raise OperatorError("models.backend", backend, problem, "pip install 'riskstream[gpu]'")
    if dtype == "int8":
        problem = "torch has no integer kernels that keep a score apart from its batch"
        raise OperatorError("models.dtype", dtype, problem, 'set it to "auto", or models.backend to "openvino"')
    from riskstream.scoring.torch_backend import TorchScorer

    exact = "float32" if dtype == "auto" else dtype
    return TorchScorer.load(directory, device=device, dtype=exact, threads=threads)
