"""The training loop: the Hugging Face Trainer, told our batches, our losses and our clock.

    Batches ──► RiskTrainer ──► losses (+ teacher, + adversary) ──► AdamW by groups ──► checkpoints, logs, valid

Rule 1. The learning rate follows progress, the further of steps done and time spent, so that a run ends with a rate of
        zero on a slow machine too. What was spent before a resume counts.
Rule 2. Mixed precision, accumulation, checkpoints, several processes and trackers are the library's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments

from riskstream.scoring.heads import RiskNet
from riskstream.trainer.config import FitConfig
from riskstream.trainer.fitting.batches import Batches
from riskstream.trainer.fitting.callbacks import Averaging, Clock
from riskstream.trainer.fitting.distil import Teacher
from riskstream.trainer.fitting.loss import Losses
from riskstream.trainer.fitting.network import layers_of

Figures = dict[str, float]


class RiskTrainer(Trainer):
    """`measure` gives the figures of `valid` for the network as it is; it is asked at each evaluation."""

    def __init__(
        self,
        net: RiskNet,
        args: TrainingArguments,
        batches: Batches,
        losses: Losses,
        config: FitConfig,
        *,
        clock: Clock,
        averaging: Averaging | None = None,
        teacher: Teacher | None = None,
        measure: Callable[[RiskNet], Figures] | None = None,
        callbacks: list[Any],
    ) -> None:
        kept = [clock, *([averaging] if averaging else []), *callbacks]
        held = batches if measure else None  # the library wants a data set to evaluate on; `measure` has its own
        super().__init__(model=net, args=args, train_dataset=batches, eval_dataset=held, callbacks=kept)
        self.remove_callback(PrinterCallback)  # it prints to stdout, which is for data; `Progress` logs
        self._batches, self._losses, self._config = batches, losses, config
        self._clock, self._averaging, self._teacher, self._measure = clock, averaging, teacher, measure

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """The stream as it is: batches are made, and shared among processes, by `Batches`."""
        own = (
            torch.Generator()
        )  # else the loader draws from the generator of dropout, and a resumed run goes another way
        return DataLoader(self._batches, batch_size=None, generator=own)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The masked losses of one batch, the teacher's part included."""
        logits = model(inputs["ids"], inputs["mask"])
        loss = self._losses.of(logits, inputs)
        if self._teacher is not None:
            loss = self._teacher.blend(loss, logits, inputs)
        return (loss, logits) if return_outputs else loss

    def training_step(self, model: nn.Module, inputs: dict[str, Any], *rest: Any, **named: Any) -> Tensor:
        """One batch forward and back; with an adversary, a second time with its embeddings moved uphill."""
        if not self._config.adversarial_norm:
            return super().training_step(model, inputs, *rest, **named)
        with _Adversary(model, self._config.adversarial_norm) as adversary:
            loss = super().training_step(model, inputs, *rest, **named)
            adversary.attack()
            super().training_step(model, inputs, *rest, **named)
        return loss

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW over what is trained; see `groups`."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(groups(cast("RiskNet", self.model), self._config), fused=True)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LambdaLR:
        """The rate that follows the clock."""
        chosen = optimizer if optimizer is not None else self.create_optimizer()
        config = self._config

        def factor(_: int) -> float:
            return rate(self._clock.progress(self.state), config.warmup_share, config.schedule)

        self.lr_scheduler = LambdaLR(chosen, factor)
        return self.lr_scheduler

    def evaluate(self, *_: Any, **__: Any) -> Figures:
        """The figures of `valid`, with averaged weights where weights are averaged."""
        if self._measure is None:
            return {}
        net: RiskNet = self.accelerator.unwrap_model(self.model)
        was_training = net.training
        net.eval()
        if self._averaging is not None:
            with self._averaging.applied(net):
                figures = self._measure(net)
        else:
            figures = self._measure(net)
        net.train(was_training)
        found = {f"eval_{name}": value for name, value in figures.items()}
        self.log(dict(found))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found


def rate(progress: float, warmup_share: float, schedule: str = "linear") -> float:
    """The share of the peak learning rate at a progress of 0 to 1: linear up, then linear or cosine down to zero."""
    if progress < warmup_share:
        return progress / warmup_share
    left = max(0.0, (1.0 - progress) / (1.0 - warmup_share))
    return left if schedule == "linear" else 0.5 * (1.0 - math.cos(math.pi * left))


def groups(net: RiskNet, config: FitConfig) -> list[dict[str, Any]]:
    """What is trained, in groups: heads at their own rate, lower layers slower, no decay on biases and norms."""
    stack = layers_of(net.encoder)
    depth = {id(weight): place for place, layer in enumerate(stack) for weight in layer.parameters()}
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in net.named_parameters():
        if not weight.requires_grad:
            continue
        peak = config.head_learning_rate
        if not name.startswith("heads."):
            below = len(stack) - 1 - depth.get(id(weight), -1)
            peak = config.learning_rate * config.layer_decay**below
        decay = 0.0 if weight.ndim < 2 else config.weight_decay
        found.setdefault((peak, decay), []).append(weight)
    return [{"params": weights, "lr": peak, "weight_decay": decay} for (peak, decay), weights in found.items()]


class _Adversary:
    """Fast gradient method: the embeddings of the last batch, moved `norm` along their gradient, text by text."""

    def __init__(self, net: nn.Module, norm: float) -> None:
        inner = cast("RiskNet", net.module if hasattr(net, "module") else net)
        self._embedding: nn.Module = inner.encoder.get_input_embeddings()
        self._norm = norm
        self._seen: Tensor | None = None
        self._delta: Tensor | None = None

    def __enter__(self) -> _Adversary:
        self._hook = self._embedding.register_forward_hook(self._on_forward)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def _on_forward(self, _module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        if self._delta is not None:
            return output + self._delta
        self._seen = output if output.requires_grad else output.detach().requires_grad_(True)
        self._seen.retain_grad()
        return self._seen

    def attack(self) -> None:
        """From now on the embeddings are moved; call it after the first backward pass."""
        assert self._seen is not None and self._seen.grad is not None
        slope = self._seen.grad.detach()
        size = slope.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1)
        self._delta = self._norm * slope / size
