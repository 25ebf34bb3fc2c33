"""The network as an OpenVINO graph, built from a version's own files: nothing is exported, nothing is stored twice.

    ids ──► embeddings ──► layers × (attention ─► feed forward) ──► pool ──► heads ──► logits (texts × labels)
    (texts × tokens)       post-norm, as BERT has it               first | mean | last | question

Rule 1. The graph computes what `heads.py` computes with torch; a test holds them together on every kind that is known.
Rule 2. Matrices stay the 8-bit rows with one scale each that `weights.py` writes: a constant, a conversion and a
        multiplication, which OpenVINO reads as compressed weights and multiplies with its integer kernels.
Rule 3. Texts of one length only: there is no padding, so there is no mask, and nothing that a neighbour could move.
Rule 4. What is not known is refused by name (`unknown`), never approximated; torch runs it then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from riskstream.scoring.manifest import Manifest

Node = Any
"""An OpenVINO node; the library has no types for what its functions take and give."""
Weights = Mapping[str, NDArray[Any]]

POSITIONS = {"bert": 0, "roberta": 1, "xlm-roberta": 1}
"""The families that are known, and how far after `pad_token_id` their positions begin (0: at nought)."""
ACTIVATIONS = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
POOLINGS = ("first", "mean", "last", "question")


def unknown(config: Mapping[str, Any], manifest: Manifest) -> str:
    """Why this model cannot be built here, for a person; empty where it can."""
    asked = {
        "model_type": (config.get("model_type"), tuple(POSITIONS)),
        "hidden_act": (config.get("hidden_act"), tuple(ACTIVATIONS)),
        "position_embedding_type": (config.get("position_embedding_type") or "absolute", ("absolute",)),
        "is_decoder": (bool(config.get("is_decoder")), (False,)),
        "pooling": (manifest.pooling, POOLINGS),
    }
    wrong = [f"{key} is {value!r}, not one of {known}" for key, (value, known) in asked.items() if value not in known]
    return "; ".join(wrong)


def build(config: Mapping[str, Any], manifest: Manifest, weights: Weights, heads: tuple[str, ...]) -> ov.Model:
    """The graph, from token ids (int32, texts × tokens) to the logits of `heads`, side by side.

    Raises KeyError where the file lacks a weight, ValueError or RuntimeError where one does not fit.
    """
    parts = _Parts(weights)
    ids = op.parameter([-1, -1], np.int32, name="ids")
    hidden, eps = int(config["hidden_size"]), float(config["layer_norm_eps"])
    states = _embedded(parts, ids, config, manifest.tokens_max, eps)
    for layer in range(int(config["num_hidden_layers"])):
        name = f"encoder.encoder.layer.{layer}."
        read = _attended(parts, name + "attention.self.", states, hidden, int(config["num_attention_heads"]))
        states = parts.norm(
            name + "attention.output.LayerNorm", states + parts.linear(name + "attention.output.dense", read), eps
        )
        inner = op.gelu(parts.linear(name + "intermediate.dense", states), ACTIVATIONS[config["hidden_act"]])
        states = parts.norm(name + "output.LayerNorm", states + parts.linear(name + "output.dense", inner), eps)
    pooled = _pooled(states, ids, manifest)
    matrix = np.concatenate([parts.matrix(f"heads.{head}.weight") for head in heads])
    bias = np.concatenate([parts.vector(f"heads.{head}.bias") for head in heads])
    logits = op.matmul(pooled, op.constant(matrix), False, True) + op.constant(bias)
    return ov.Model([logits], [ids], f"{manifest.name}@{manifest.version}")


class _Parts:
    """The layers that weights make."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def vector(self, name: str) -> NDArray[np.float32]:
        return self._weights[name].astype(np.float32)

    def matrix(self, name: str) -> NDArray[np.float32]:
        stored = self._weights[name]
        if stored.dtype != np.int8:
            return stored.astype(np.float32)
        return stored.astype(np.float32) * self._weights[name + ".scale"].astype(np.float32)[:, None]

    def packed(self, name: str) -> Node:
        """A matrix that is 8-bit in memory."""
        stored = self._weights[name]
        if stored.dtype != np.int8:
            return op.constant(self.matrix(name))
        scale = self._weights[name + ".scale"].astype(np.float32)[:, None]
        return op.convert(op.constant(stored), "f32") * op.constant(scale)

    def linear(self, name: str, x: Node) -> Node:
        return op.matmul(x, self.packed(name + ".weight"), False, True) + op.constant(self.vector(name + ".bias"))

    def norm(self, name: str, x: Node, eps: float) -> Node:
        normal = op.mvn(x, _ints(-1), True, eps, "inside_sqrt")
        return normal * op.constant(self.vector(name + ".weight")) + op.constant(self.vector(name + ".bias"))


def _embedded(parts: _Parts, ids: Node, config: Mapping[str, Any], tokens_max: int, eps: float) -> Node:
    """Word, position and the first token type, summed and normed."""
    name = "encoder.embeddings."
    places = parts.matrix(name + "position_embeddings.weight") + parts.matrix(name + "token_type_embeddings.weight")[:1]
    if POSITIONS[config["model_type"]]:
        places = places[int(config["pad_token_id"]) + POSITIONS[config["model_type"]] :]
    if not 0 < tokens_max <= len(places):
        raise ValueError(f"tokens_max = {tokens_max}, and there are places for {len(places)}")
    width = op.gather(op.shape_of(ids, "i64"), _int(1), _int(0))
    here = op.gather(op.constant(places), op.range(_int(0), width, _int(1), "i64"), _int(0))
    words = op.gather(parts.packed(name + "word_embeddings.weight"), ids, _int(0))
    return parts.norm(name + "LayerNorm", words + here, eps)


def _attended(parts: _Parts, name: str, states: Node, hidden: int, heads: int) -> Node:
    """What every token reads of the others, before the output matrix."""
    shape = _ints(0, 0, heads, hidden // heads)
    query, key, value = (
        op.transpose(op.reshape(parts.linear(name + part, states), shape, True), _ints(0, 2, 1, 3))
        for part in ("query", "key", "value")
    )
    read = op.scaled_dot_product_attention(query, key, value)
    return op.reshape(op.transpose(read, _ints(0, 2, 1, 3)), _ints(0, 0, hidden), True)


def _pooled(states: Node, ids: Node, manifest: Manifest) -> Node:
    """One vector a text."""
    if manifest.pooling == "first":
        return op.gather(states, _int(0), _int(1))
    if manifest.pooling == "last":
        return op.gather(states, _int(-1), _int(1))
    if manifest.pooling == "mean":
        return op.reduce_mean(states, _ints(1), False)
    ends = op.convert(op.equal(ids, op.constant(np.int32(manifest.end_id))), "f32")
    read = op.convert(op.equal(op.cum_sum(ends, _int(1), True, False), op.constant(np.float32(0))), "f32")
    total = op.reduce_sum(states * op.unsqueeze(read, _int(2)), _ints(1), False)
    return total / op.reduce_sum(read, _ints(1), True)


def _int(value: int) -> Node:
    return op.constant(np.int64(value))


def _ints(*values: int) -> Node:
    return op.constant(np.array(values, np.int64))
