"""Fine-tunes the four heads and the encoder under them.

    base encoder + examples ──► batches ──► masked losses ──► AdamW ──► checkpoint (net.safetensors, fit.json)

The learning rate follows progress, the further of steps done and time spent, so that a run ends with a learning rate
of zero on a slow machine too. Nothing here looks at `valid` or `test`: calibration, thresholds and figures come after.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import msgspec
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels
from riskstream.scoring.heads import Pooling, RiskNet, pad
from riskstream.scoring.tokenizer import PairTokenizer
from riskstream.trainer.augment import Augmenter
from riskstream.trainer.batches import drawn, epoch_batches
from riskstream.trainer.config import FitConfig, ModelConfig, TrainConfig
from riskstream.trainer.data import Example
from riskstream.trainer.loss import Losses

log = logging.getLogger(__name__)
NET, REPORT = "net.safetensors", "fit.json"


class FitReport(msgspec.Struct, frozen=True):
    """What a run did. `padding` is the share of tokens that were padding."""

    steps: int
    epochs: float
    seconds: float
    tokens: int
    padding: float
    loss: float
    finished: bool


def head_sizes(labels: Labels) -> dict[str, int]:
    """The outputs of each head."""
    return {
        "sentiment": len(labels.sentiment),
        "severity": len(labels.severity),
        "risk": len(labels.risk),
        "topic": len(labels.topic),
    }


def base_net(base: Path, labels: Labels, pooling: Pooling, attention_dropout: float) -> RiskNet:
    """The base encoder with fresh heads, in float32. Raises OperatorError where the base is missing or unfit."""
    weights = base / "model.safetensors"
    if not weights.is_file():
        raise OperatorError(
            "model.base", str(base), "there is no model.safetensors in it", "give an encoder's directory"
        )
    shape = AutoConfig.from_pretrained(base)
    shape.attention_probs_dropout_prob = attention_dropout
    net = RiskNet(shape, head_sizes(labels), pooling)
    state = {name: tensor.float() for name, tensor in load_file(weights).items() if not name.startswith("pooler.")}
    missing, unexpected = net.encoder.load_state_dict(state, strict=False)
    lacking = [name for name in missing if not name.endswith("position_ids")]
    if lacking or unexpected:
        raise OperatorError(
            "model.base", str(base), f"weights do not fit: {lacking[:3]} {unexpected[:3]}", "check config.json"
        )
    return net


def fit(config: TrainConfig, labels: Labels, examples: Sequence[Example], out: Path) -> FitReport:
    """Train on `examples` and leave the network in `out`. The caller passes training rows only."""
    torch.set_num_threads(config.fit.threads)
    torch.manual_seed(config.fit.seed)
    rng = random.Random(config.fit.seed)  # noqa: S311 (not for secrets)
    base = Path(config.model.base)
    net = base_net(base, labels, cast("Pooling", config.model.pooling), config.fit.attention_dropout)
    tokenizer = PairTokenizer.load(base / "tokenizer.json", config.fit.tokens_max)
    if config.fit.start:
        net.load_state_dict(load_file(config.fit.start))
    freeze(net, config.model)
    run = Run(config.fit, net, Losses(config.fit, examples, len(labels.risk)), pad_id(base), out)
    run.steps_planned = planned_steps(examples, tokenizer, config.fit, rng)
    augmenter = Augmenter(config.augment, examples)
    out.mkdir(parents=True, exist_ok=True)
    while not run.done:
        for batch in epoch_batches(examples, tokenizer, augmenter, config.fit.batch_tokens, rng):
            run.step(batch.examples, batch.tokens)
            if run.done:
                break
    return run.save(finished=True)


def freeze(net: RiskNet, config: ModelConfig) -> None:
    """Leave the word embeddings, and with frozen layers all that lies below them, as the base has them."""
    if config.freeze_embeddings:
        net.encoder.get_input_embeddings().requires_grad_(False)
    if config.freeze_layers:
        net.encoder.embeddings.requires_grad_(False)
        for layer in net.encoder.encoder.layer[: config.freeze_layers]:
            layer.requires_grad_(False)


def pad_id(base: Path) -> int:
    """The id that fills a batch's rectangle."""
    found = json.loads((base / "config.json").read_text()).get("pad_token_id")
    return 0 if found is None else int(found)


def planned_steps(examples: Sequence[Example], tokenizer: PairTokenizer, config: FitConfig, rng: random.Random) -> int:
    """How many batches `epochs` passes will take, from one draw without alterations."""
    epoch = drawn(examples, rng)
    lengths = [len(row) for row in tokenizer.encode([(e.entity, e.text) for e in epoch])]
    return max(1, round(config.epochs * sum(lengths) * 1.04 / config.batch_tokens))


def rate(progress: float, warmup_share: float) -> float:
    """The share of the peak learning rate at a progress of 0 to 1: linear up, then linear down to zero."""
    if progress < warmup_share:
        return progress / warmup_share
    return max(0.0, (1.0 - progress) / (1.0 - warmup_share))


class Run:
    """The state of a training run: network, optimiser, and how far it is."""

    def __init__(self, config: FitConfig, net: RiskNet, losses: Losses, pad_to: int, out: Path) -> None:
        self._config, self._net, self._losses, self._pad_to, self._out = config, net, losses, pad_to, out
        self._optimizer = optimizer(net, config)
        self._peaks = [group["lr"] for group in self._optimizer.param_groups]
        self.steps_planned = 1
        self._steps = self._tokens = self._padded = 0
        self._loss = 0.0
        self._started = self._saved = time.monotonic()
        net.train()

    @property
    def progress(self) -> float:
        """0 to 1: the further of steps and time."""
        minutes = (time.monotonic() - self._started) / 60
        return min(1.0, max(self._steps / self.steps_planned, minutes / self._config.minutes_max))

    @property
    def done(self) -> bool:
        """Whether steps or time are used up."""
        return self.progress >= 1.0

    def step(self, examples: Sequence[Example], tokens: list[tuple[int, ...]]) -> None:
        """One update of the weights from one batch."""
        share = rate(max(self.progress, 1e-4), self._config.warmup_share)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * share
        ids, mask = pad(tokens, self._pad_to)
        with autocast(self._config.bfloat16):
            logits = self._net(ids, mask)
        loss = self._losses.of(logits, examples)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._net.parameters(), self._config.clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._account(loss.item(), sum(len(row) for row in tokens), ids.numel())

    def _account(self, loss: float, tokens: int, padded: int) -> None:
        self._steps += 1
        self._tokens += tokens
        self._padded += padded
        self._loss = loss if self._steps == 1 else 0.98 * self._loss + 0.02 * loss
        now = time.monotonic()
        if self._steps % 10 == 0:
            speed = self._tokens / (now - self._started)
            log.info(
                "step %d of %d, progress %.3f, loss %.3f, %.0f tokens/s, padding %.3f",
                self._steps, self.steps_planned, self.progress, self._loss, speed, 1 - self._tokens / self._padded,
            )  # fmt: skip
        if now - self._saved > self._config.checkpoint_minutes * 60:
            self.save(finished=False)
            self._saved = now

    def save(self, *, finished: bool) -> FitReport:
        """Write the checkpoint and its report; a half-written one never replaces a whole one."""
        part = self._out / (NET + ".part")
        save_file({name: tensor.contiguous() for name, tensor in self._net.state_dict().items()}, part)
        part.replace(self._out / NET)
        report = FitReport(
            steps=self._steps,
            epochs=self._config.epochs * self._steps / self.steps_planned,
            seconds=time.monotonic() - self._started,
            tokens=self._tokens,
            padding=1 - self._tokens / max(1, self._padded),
            loss=self._loss,
            finished=finished,
        )
        (self._out / REPORT).write_bytes(msgspec.json.encode(report))
        return report


def optimizer(net: RiskNet, config: FitConfig) -> torch.optim.AdamW:
    """AdamW over what is trained: heads at their own rate, no decay on biases and norms."""
    groups: list[dict[str, Any]] = []
    for heads in (False, True):
        for plain in (False, True):
            weights = [
                weight
                for name, weight in net.named_parameters()
                if weight.requires_grad and name.startswith("heads.") == heads and (weight.ndim < 2) == plain
            ]
            decay = 0.0 if plain else config.weight_decay
            groups.append(
                {
                    "params": weights,
                    "lr": config.head_learning_rate if heads else config.learning_rate,
                    "weight_decay": decay,
                }
            )
    return torch.optim.AdamW(groups, fused=True)


def autocast(bfloat16: bool) -> AbstractContextManager[Any]:
    """bf16 matrix products where asked for; losses and weights stay float32."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16)
