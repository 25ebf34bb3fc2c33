"""The ways to fine-tune: each leaves whole weights that load as a version does, and does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from riskstream.core.errors import OperatorError
from riskstream.trainer.config import Leg, TrainConfig
from riskstream.trainer.data.examples import load_examples, of
from riskstream.trainer.fitting import network
from riskstream.trainer.fitting.batches import Batches, Share
from riskstream.trainer.fitting.fit import NET, FitReport, fit, last_checkpoint, mean_of, resumable
from riskstream.trainer.fitting.legs import fit_legs, with_leg
from riskstream.trainer.versions.run import base_of, labels_of, whole_scorer
from tests.trainer.bases import small_run


def fitted(config: TrainConfig, out: Path) -> FitReport:
    examples = load_examples(config.data, labels_of(config))
    return fit(config, labels_of(config), of(examples, split="train"), of(examples, split="valid"), out)


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"fit": {"average_decay": 0.9, "evaluations": 2}},
        {"fit": {"adversarial_norm": 0.5}},
        {"fit": {"accumulation": 2, "schedule": "cosine", "layer_decay": 0.9, "focal_gamma": 2.0}},
        {"fit": {"contrast_weight": 0.5}},
        {"fit": {"seeds": [1, 2]}},
        {"fit": {"gradient_checkpointing": True}},
        {"lora": {"rank": 4}},
        {"model": {"keep_layers": [1]}},
        {"model": {"freeze_layers": 1}},
        {"model": {"pooling": "question"}},
    ],
    ids=str,
)
def test_a_run_leaves_weights_that_load(tmp_path: Path, sections: dict[str, Any]) -> None:
    config = small_run(tmp_path, layers=2, **sections)
    out = tmp_path / "out"
    report = fitted(config, out)
    assert report.finished and report.steps > 3 and report.loss < 12
    scorer = whole_scorer(config, labels_of(config), out)
    assert {head: values.shape[0] for head, values in scorer.logits([(0, 5, 2)]).items()}["severity"] == 1
    name = "encoder.layer.0.output.dense.weight"
    before = load_file(base_of(config, out) / "model.safetensors")[name]
    assert torch.equal(load_file(out / NET)[f"encoder.{name}"], before) == bool(config.model.freeze_layers)


def test_legs_go_on_from_each_other_and_are_not_done_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_run(tmp_path)
    labels, out = labels_of(config), tmp_path / "out"
    examples = load_examples(config.data, labels)
    train, valid = of(examples, split="train"), of(examples, split="valid")
    legs = tuple(
        Leg(epochs=1.0, minutes_max=5.0, learning_rate=rate, head_learning_rate=rate, seed=4) for rate in (1e-2, 1e-9)
    )
    told = msgspec.structs.replace(config, legs=legs)
    report = fit_legs(told, labels, train, valid, out)
    first, last = load_file(out / "leg-1" / NET), load_file(out / NET)
    assert all(torch.allclose(first[name], last[name], atol=1e-6) for name in first)
    alone = fit(with_leg(told, legs[0], ""), labels, train, valid, tmp_path / "alone")
    assert report.steps == 2 * alone.steps
    monkeypatch.setattr("riskstream.trainer.fitting.legs.fit", None)  # a leg that is done is not fitted again
    assert fit_legs(told, labels, train, valid, out) == report


def test_what_is_frozen_stays(tmp_path: Path) -> None:
    config = small_run(tmp_path, layers=2, model={"freeze_layers": 1, "freeze_embeddings": True})
    fitted(config, tmp_path / "out")
    before, after = load_file(tmp_path / "base" / "model.safetensors"), load_file(tmp_path / "out" / NET)
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[f"encoder.{name}"])}
    assert moved and all(name.startswith("encoder.layer.1.") for name in moved)


def test_adapters_leave_the_rest_of_the_encoder_alone(tmp_path: Path) -> None:
    config = small_run(tmp_path, lora={"rank": 2, "targets": ["query"]})
    fitted(config, tmp_path / "out")
    before, after = load_file(tmp_path / "base" / "model.safetensors"), load_file(tmp_path / "out" / NET)
    assert {name for name, t in before.items() if not torch.equal(t, after[f"encoder.{name}"])} == {
        "encoder.layer.0.attention.self.query.weight"
    }


def test_adapters_that_fit_nowhere_are_the_operators_mistake(tmp_path: Path) -> None:
    config = small_run(tmp_path, lora={"rank": 2, "targets": ["q_proj"]})
    with pytest.raises(OperatorError, match=r"lora\.targets"):
        fitted(config, tmp_path / "out")


def test_a_killed_run_goes_on_and_a_changed_one_begins_anew(tmp_path: Path) -> None:
    config = small_run(tmp_path, fit={"checkpoint_minutes": 0.0})
    out = tmp_path / "out"
    assert resumable(config, out) is None
    (out / "checkpoint-3").mkdir()
    assert resumable(config, out) is None, "a checkpoint that was being written is none"
    (out / "checkpoint-3").mkdir()
    (out / "checkpoint-3" / "trainer_state.json").write_text("{}")
    assert resumable(config, out) == out / "checkpoint-3"
    other = msgspec.structs.replace(config, fit=msgspec.structs.replace(config.fit, seed=99))
    assert resumable(other, out) is None
    assert last_checkpoint(out) is None


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_run(
        tmp_path, fit={"checkpoint_minutes": 1e-9, "average_decay": 0.9, "epochs": 2.0, "hidden_dropout": 0.0}
    )
    whole = fitted(config, tmp_path / "whole")

    class Killed(Exception):
        pass

    steps = 0
    took = network.RiskNet.forward

    def forward(self: Any, ids: Any, mask: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == whole.steps // 2:
            raise Killed
        return took(self, ids, mask)

    monkeypatch.setattr(network.RiskNet, "forward", forward)
    with pytest.raises(Killed):
        fitted(config, tmp_path / "broken")
    done = last_checkpoint(tmp_path / "broken")
    assert done is not None
    assert fitted(config, tmp_path / "broken").steps == whole.steps
    one, two = load_file(tmp_path / "whole" / NET), load_file(tmp_path / "broken" / NET)
    # the rate follows the clock too, so not to the bit: 1e-4 was measured, and 7e-3 where dropout went another way
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-3


def test_batches_are_a_function_of_their_seed_and_shared_without_overlap(tmp_path: Path) -> None:
    config = small_run(tmp_path)
    examples = of(load_examples(config.data, labels_of(config)), split="train")
    whole = first(config, examples, Share(), 6)
    assert first(config, examples, Share(), 6) == whole
    assert first(config, examples, Share(0, 2), 3) == whole[0::2]
    assert first(config, examples, Share(1, 2), 3) == whole[1::2]
    assert first(config, examples, Share(1, 2, done=2), 1) == whole[5:6]


def first(config: TrainConfig, examples: list[Any], share: Share, count: int) -> list[list[list[int]]]:
    from riskstream.scoring.tokenizer import PairTokenizer
    from riskstream.trainer.data.augment import Augmenter
    from riskstream.trainer.fitting.loss import Targets

    tokenizer = PairTokenizer.load(Path(config.model.base) / "tokenizer.json", 64)
    augmenter = Augmenter(config.augment, examples)
    batches = Batches(examples, tokenizer, augmenter, Targets(12), batch_tokens=512, pad_id=1, seed=4)
    batches.share = share
    stream = iter(batches)
    return [next(stream)["ids"].tolist() for _ in range(count)]


def test_the_mean_of_runs_is_that_of_their_weights() -> None:
    states = [{"a": torch.tensor([1.0, 2.0])}, {"a": torch.tensor([3.0, 6.0])}]
    assert mean_of(states)["a"].tolist() == [2.0, 4.0]
    assert mean_of(states[:1])["a"].tolist() == [1.0, 2.0]
