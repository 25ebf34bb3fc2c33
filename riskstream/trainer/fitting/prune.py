"""A smaller base from a base: fewer layers, fewer word pieces. What is left computes as before.

base ──layers kept──► ──pieces seen in the training texts──► <out>/base/: config.json, model.safetensors, tokenizer.json
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from riskstream.core.errors import OperatorError
from riskstream.trainer.config import ModelConfig

SHAPE, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
STACKS = ("layer", "layers", "h")
"""How libraries name the list of an encoder's layers."""


def cut_base(config: ModelConfig, texts: Iterable[str], out: Path) -> Path:
    """The base that training starts from: the config's own, or a smaller copy of it in `out`.

    Raises OperatorError for layers that are not there, and for a tokenizer whose pieces cannot be dropped.
    """
    base = Path(config.base)
    if not config.keep_layers and not config.vocabulary_min:
        return base
    shape = json.loads((base / SHAPE).read_text())
    state = load_file(base / WEIGHTS)
    tokenizer = json.loads((base / TOKENIZER).read_text())
    if config.keep_layers:
        shape, state = kept_layers(shape, state, config.keep_layers)
    if config.vocabulary_min:
        seen = pieces_of(base / TOKENIZER, texts)
        keep = kept_pieces(tokenizer, seen, config.vocabulary_min)
        shape, state, tokenizer = kept_vocabulary(shape, state, tokenizer, keep)
    folder = out / "base"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SHAPE).write_text(json.dumps(shape, indent=2))
    (folder / TOKENIZER).write_text(json.dumps(tokenizer, ensure_ascii=False))
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / WEIGHTS)
    return folder


def kept_layers(
    shape: Mapping[str, Any], state: Mapping[str, Tensor], keep: tuple[int, ...]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The weights of these layers, numbered anew, and all that belongs to no layer."""
    there = int(shape["num_hidden_layers"])
    if any(not 0 <= layer < there for layer in keep):
        raise OperatorError(
            "model.keep_layers", list(keep), f"the base has layers 0 to {there - 1}", "correct the list"
        )
    places = {str(old): str(new) for new, old in enumerate(keep)}
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        parts = name.split(".")
        at = next((i + 1 for i, part in enumerate(parts[:-1]) if part in STACKS), None)
        if at is None:
            found[name] = tensor
        elif parts[at] in places:
            found[".".join([*parts[:at], places[parts[at]], *parts[at + 1 :]])] = tensor
    return {**shape, "num_hidden_layers": len(keep)}, found


def pieces_of(tokenizer: Path, texts: Iterable[str]) -> Counter[int]:
    """How often each piece comes in these texts."""
    reader = Tokenizer.from_file(str(tokenizer))
    seen: Counter[int] = Counter()
    for encoded in reader.encode_batch_fast(list(texts), add_special_tokens=False):
        seen.update(encoded.ids)
    return seen


def kept_pieces(tokenizer: Mapping[str, Any], seen: Mapping[int, int], least: int) -> list[int]:
    """The pieces that stay, by number: special ones, single characters, and what comes at least `least` times."""
    if tokenizer["model"]["type"] != "Unigram":
        kind = tokenizer["model"]["type"]
        raise OperatorError(
            "model.vocabulary_min", least, f"pieces of a {kind} tokenizer cannot be dropped", "set it to 0"
        )
    special = {token["id"] for token in tokenizer["added_tokens"]}
    return [
        place
        for place, (piece, _) in enumerate(tokenizer["model"]["vocab"])
        if place in special or len(piece.strip("▁")) <= 1 or seen.get(place, 0) >= least
    ]


def kept_vocabulary(
    shape: Mapping[str, Any], state: Mapping[str, Tensor], tokenizer: dict[str, Any], keep: list[int]
) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Any]]:
    """Configuration, weights and tokenizer with these pieces only, numbered anew in their old order."""
    places = {old: new for new, old in enumerate(keep)}
    model = tokenizer["model"]
    vocabulary = [model["vocab"][old] for old in keep]
    added = [{**token, "id": places[token["id"]]} for token in tokenizer["added_tokens"]]
    special = {
        name: {**token, "ids": [places[old] for old in token["ids"]]}
        for name, token in tokenizer["post_processor"]["special_tokens"].items()
    }
    smaller = {
        **tokenizer,
        "added_tokens": added,
        "model": {**model, "vocab": vocabulary, "unk_id": places[model["unk_id"]]},
        "post_processor": {**tokenizer["post_processor"], "special_tokens": special},
    }
    ids = {
        key: places[shape[key]] for key in ("pad_token_id", "bos_token_id", "eos_token_id") if shape.get(key) in places
    }
    size = int(shape["vocab_size"])
    rows = torch.tensor(keep)
    weights = {
        name: tensor[rows] if tensor.ndim == 2 and tensor.shape[0] == size else tensor for name, tensor in state.items()
    }
    return {**shape, **ids, "vocab_size": len(keep)}, weights, smaller
