"""The weights file: matrices as 8-bit integers with one scale a row, so that 41 M weights fit into 40 MiB.

    w (rows × columns, float)  ──►  "<name>" int8 (rows × columns)  and  "<name>.scale" float16 (rows)
    w[r, c] ≈ int8[r, c] × scale[r],  scale[r] = largest |w[r, :]| / 127

Rule 1. Only the file is small: weights are float32 again after loading, so the arithmetic, and with it the promise that
        a text's scores do not depend on its batch, is the same as for an unpacked model.
Rule 2. Vectors (biases, norms) are kept as float16.
Rule 3. A row is off by half a step at most (its largest weight / 254), plus the rounding of its scale to float16.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"
STEPS = 127.0
SCALE_MIN = 2.0**-24
"""The smallest scale that float16 holds: rows of zeros, and rows so small that they are noise."""


def pack(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is written: matrices as int8 and scales, all else as float16. Raises ValueError for non-finite weights."""
    packed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} has weights that are not finite")
        if tensor.ndim != 2:
            packed[name] = tensor.to(torch.float16).contiguous()
            continue
        rows = tensor.float()
        scale = (rows.abs().amax(dim=1) / STEPS).clamp(min=SCALE_MIN).to(torch.float16)
        packed[name] = (rows / scale.float().unsqueeze(1)).round().clamp(-STEPS, STEPS).to(torch.int8).contiguous()
        packed[name + SCALE] = scale.contiguous()
    return packed


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The float32 weights of a file. Raises KeyError where an int8 matrix has no scale."""
    state: dict[str, Tensor] = {}
    for name, tensor in packed.items():
        if name.endswith(SCALE):
            continue
        if tensor.dtype == torch.int8:
            state[name] = tensor.float() * packed[name + SCALE].float().unsqueeze(1)
        else:
            state[name] = tensor.float()
    return state
