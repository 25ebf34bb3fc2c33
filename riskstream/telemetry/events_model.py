"""What can happen around the model: which version answers, how its scores drift, which of them were explained.

The rules are those of `events.py`, which names these too.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from riskstream.core.lanes.refusals import Refusal


class ModelLoaded(msgspec.Struct, frozen=True):
    """A model version answers from now on. `previous` is empty at the start, else the version that it replaced;
    `unchecked`: it has no golden pairs, so nothing tells whether it scores here as it was published."""

    model: str
    backend: str
    seconds: float
    previous: str = ""
    unchecked: bool = False


class ModelRefused(msgspec.Struct, frozen=True):
    """A version was not taken; the one that runs goes on."""

    model: str
    reason: Refusal
    detail: str


class DriftSeen(msgspec.Struct, frozen=True):
    """How far the last answers of the model are from its first here: head → population stability index."""

    heads: Mapping[str, float]


class Explanations(msgspec.Struct, frozen=True):
    """What became of pairs whose score was to be explained: by the model, which took `seconds` for all of them; known
    from the same text before; skipped because too many waited; failed, for the reason in `detail`."""

    explained: int = 0
    known: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: float = 0.0
    detail: str = ""
