"""A base cut down: what is left computes as before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from riskstream.core.errors import OperatorError
from riskstream.trainer.config import ModelConfig
from riskstream.trainer.fitting.prune import cut_base, kept_layers
from tests.trainer.bases import write_base

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁acme", "▁falls", "▁bolt", "▁rises", "a", "b", "<mask>"]


def unigram_base(folder: Path) -> None:
    """A base whose tokenizer is a Unigram one, with a special piece at the end."""
    write_base(folder)
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in PIECES], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B:0 </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    shape = json.loads((folder / "config.json").read_text()) | {"vocab_size": len(PIECES)}
    (folder / "config.json").write_text(json.dumps(shape))
    state = load_file(folder / "model.safetensors")
    from safetensors.torch import save_file

    name = "embeddings.word_embeddings.weight"
    save_file({**state, name: state[name][: len(PIECES)].contiguous()}, folder / "model.safetensors")


def test_nothing_to_cut_is_the_base_itself(tmp_path: Path) -> None:
    assert cut_base(ModelConfig(str(tmp_path / "base"), "m", "1"), [], tmp_path) == tmp_path / "base"


def test_pieces_that_the_texts_lack_are_dropped_and_the_others_keep_their_vectors(tmp_path: Path) -> None:
    unigram_base(tmp_path / "base")
    config = ModelConfig(str(tmp_path / "base"), "m", "1", vocabulary_min=2)
    smaller = cut_base(config, ["acme falls", "acme falls", "bolt"], tmp_path)
    before, after = (Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in (tmp_path / "base", smaller))
    kept = [piece for piece in PIECES if piece not in ("▁bolt", "▁rises")]
    assert sorted(after.get_vocab(), key=after.get_vocab().__getitem__) == kept
    one, two = before.encode("acme falls"), after.encode("acme falls")
    assert one.tokens == two.tokens
    name = "embeddings.word_embeddings.weight"
    old, new = (load_file(folder / "model.safetensors")[name] for folder in (tmp_path / "base", smaller))
    assert torch.equal(old[one.ids], new[two.ids])
    assert json.loads((smaller / "config.json").read_text())["vocab_size"] == len(kept)


def test_pieces_of_another_kind_of_tokenizer_stay(tmp_path: Path) -> None:
    write_base(tmp_path / "base")
    with pytest.raises(OperatorError, match=r"model\.vocabulary_min"):
        cut_base(ModelConfig(str(tmp_path / "base"), "m", "1", vocabulary_min=2), ["a"], tmp_path)


def test_layers_that_stay_are_numbered_anew() -> None:
    state = {f"encoder.layer.{n}.w": torch.tensor([float(n)]) for n in range(4)} | {"embeddings.w": torch.zeros(1)}
    shape, kept = kept_layers({"num_hidden_layers": 4}, state, (1, 3))
    assert shape["num_hidden_layers"] == 2
    assert {name: tensor.item() for name, tensor in kept.items()} == {
        "encoder.layer.0.w": 1.0, "encoder.layer.1.w": 3.0, "embeddings.w": 0.0,
    }  # fmt: skip


def test_a_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(OperatorError, match="layers 0 to 3"):
        kept_layers({"num_hidden_layers": 4}, {}, (4,))
