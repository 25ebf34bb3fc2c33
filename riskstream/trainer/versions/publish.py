"""Writes a version directory, whole or not at all.

    network, tokenizer, manifest, card ──► <version>.part/ ──► <version>/
                                           every file hashed, the manifest last; what is written is loaded
                                           once, to note how it scores the golden pairs

Loading it is `scoring`'s business: what is written here is what `TorchScorer.load` reads.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from safetensors.torch import save_file
from torch import Tensor

from riskstream import __version__
from riskstream.core.errors import OperatorError
from riskstream.scoring.golden import write_golden
from riskstream.scoring.manifest import CARD, CONFIG, TOKENIZER, WEIGHTS, Manifest, sha256, write_manifest
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.scoring.weights import pack

WEIGHTS_BYTES_MAX = 40 * 2**20
"""What shipped weights may weigh; a user's own model may be larger, and says so."""
NOT_OURS = ("_name_or_path", "transformers_version")
"""Keys of an encoder's configuration that depend on where and with what it was written."""


def code_version() -> str:
    """What wrote a version."""
    return f"riskstream {__version__}"


def write_version(
    directory: Path,
    *,
    state: Mapping[str, Tensor],
    shape: Mapping[str, Any],
    tokenizer: Path,
    manifest: Manifest,
    card: str = "",
    weights_bytes_max: int = WEIGHTS_BYTES_MAX,
) -> Manifest:
    """Publish a version to `directory`, in the place of what was there; returns the manifest with its hashes.

    `state` are the float weights by name, `shape` the encoder's configuration. Raises OperatorError where the packed
    weights are larger than `weights_bytes_max`.
    """
    part = directory.with_name(directory.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    settings = {key: value for key, value in shape.items() if key not in NOT_OURS} | {"dtype": "float32"}
    (part / CONFIG).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    save_file(pack(state), part / WEIGHTS)
    shutil.copyfile(tokenizer, part / TOKENIZER)
    if card:
        (part / CARD).write_text(card)
    size = (part / WEIGHTS).stat().st_size
    if size > weights_bytes_max:
        raise OperatorError(
            "models", str(part / WEIGHTS), f"{size} bytes, {weights_bytes_max} allowed", "use a smaller base"
        )
    for path in part.iterdir():
        path.chmod(0o644)
    files = {path.name: sha256(path) for path in sorted(part.iterdir())}
    finished = msgspec.structs.replace(manifest, files=files, code=code_version())
    write_manifest(part, finished)
    finished = write_golden(TorchScorer.load(part, device="cpu"), part)
    if directory.exists():
        shutil.rmtree(directory)
    part.rename(directory)
    return finished
