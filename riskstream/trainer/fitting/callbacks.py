"""What happens beside the steps of a run: its clock, its checkpoints by time, averaged weights, progress lines.

Clock      progress by steps or minutes, whichever is further; stops the run, saves every few minutes
Averaging  an exponential mean of the weights, which is what the run gives in the end
Progress   a line every so many steps: loss, rate of tokens, what is left
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState
from transformers.trainer_callback import ExportableState
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

log = logging.getLogger(__name__)
AVERAGE = "average.safetensors"
LINE_STEPS = 20


class Clock(TrainerCallback, ExportableState):
    """Minutes count over resumes: what a checkpoint had spent is in its state.

    Several processes go by the clock of the first, looked at after each step: with clocks of their own, each would have
    another learning rate, and one would stop while the others wait for it.
    """

    def __init__(self, minutes_max: float = 1.0, checkpoint_minutes: float = 10.0, spent_s: float = 0.0) -> None:
        self._minutes_max, self._checkpoint_s, self.spent_s = minutes_max, checkpoint_minutes * 60, spent_s
        self._started = time.monotonic()
        self._agreed_s = self._saved_s = spent_s

    @property
    def seconds(self) -> float:
        """What the run has taken so far."""
        return self.spent_s + time.monotonic() - self._started

    def progress(self, state: TrainerState) -> float:
        """0 to 1: the further of steps and time."""
        return min(1.0, max(state.global_step / max(1, state.max_steps), self._agreed_s / 60 / self._minutes_max))

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The clock starts here."""
        self._started = time.monotonic()
        self._agreed_s = self._saved_s = self.spent_s

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop when time is used up; save when the last checkpoint is old."""
        self._agreed_s = of_first_process(self.seconds)
        if self.progress(state) >= 1.0:
            control.should_training_stop = True
        elif self._agreed_s - self._saved_s > self._checkpoint_s:
            control.should_save = True
            self._saved_s = self._agreed_s

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "args": {"minutes_max": self._minutes_max, "checkpoint_minutes": self._checkpoint_s / 60},
            "attributes": {"spent_s": self.seconds},
        }


def of_first_process(value: float) -> float:
    """The first process's value in every process of a run."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    told = torch.tensor([value], dtype=torch.float64, device=device)
    torch.distributed.broadcast(told, src=0)
    return float(told)


class Averaging(TrainerCallback):
    """mean ← decay × mean + (1 - decay) × weights after each step, a shorter memory in the first steps."""

    def __init__(self, net: nn.Module, decay: float, resumed: Path | None = None) -> None:
        self._net, self._decay, self._steps = net, decay, 0
        self._mean: dict[str, Tensor] = {}
        if resumed is not None and (resumed / AVERAGE).is_file():
            self._mean = load_file(resumed / AVERAGE)
            self._steps = int(resumed.name.rpartition("-")[2])

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Take the new weights in."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        with torch.no_grad():
            for name, weight in self._trained():
                if name in self._mean:
                    self._mean[name].lerp_(weight.detach(), 1 - decay)
                else:
                    self._mean[name] = weight.detach().clone()

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep the mean beside the checkpoint."""
        folder = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            save_file(self._mean, folder / AVERAGE)

    @contextmanager
    def applied(self, net: nn.Module) -> Iterator[None]:
        """Inside, the network has the mean; afterwards its own weights again."""
        own = {name: weight.detach().clone() for name, weight in self._trained()}
        self.put_into(net)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in self._trained():
                    weight.copy_(own[name])

    def put_into(self, net: nn.Module) -> None:
        """Give the network the mean for good."""
        with torch.no_grad():
            for name, weight in net.named_parameters():
                if name in self._mean:
                    weight.copy_(self._mean[name])

    def _trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        return ((name, weight) for name, weight in self._net.named_parameters() if weight.requires_grad)


class BestKept(TrainerCallback):
    """Keeps the weights of the best evaluation, and stops after `patience` evaluations without a better one."""

    def __init__(self, metric: str, patience: int, averaging: Averaging | None, net: nn.Module) -> None:
        self._metric, self._patience, self._averaging, self._net = f"eval_{metric}", patience, averaging, net
        self.best = float("-inf")
        self._since = 0
        self._kept: dict[str, Tensor] = {}

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Compare with the best so far."""
        metrics: dict[str, float] = given["metrics"]
        value = metrics[self._metric]
        log.info("valid: %s", ", ".join(f"{name[5:]} {figure:.4f}" for name, figure in metrics.items()))
        if value > self.best:
            self.best, self._since = value, 0
            self._kept = self._now()
        else:
            self._since += 1
            control.should_training_stop |= self._since >= self._patience

    def put_into(self, net: nn.Module) -> None:
        """Give the network the best weights."""
        net.load_state_dict(self._kept)

    def _now(self) -> dict[str, Tensor]:
        if self._averaging is None:
            return {name: tensor.detach().clone() for name, tensor in self._net.state_dict().items()}
        with self._averaging.applied(self._net):
            return {name: tensor.detach().clone() for name, tensor in self._net.state_dict().items()}


class Progress(TrainerCallback):
    """Counts tokens by what the network is given, and says how far the run is."""

    def __init__(self, clock: Clock, net: nn.Module) -> None:
        self._clock = clock
        self.tokens = self.padded = 0
        self.loss = 0.0
        net.register_forward_pre_hook(self._on_forward)

    def _on_forward(self, net: nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
        if net.training:
            self.tokens += int(inputs[1].sum())
            self.padded += inputs[1].numel()

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """One line with the mean loss since the last."""
        logs: dict[str, float] = given["logs"]
        if "loss" not in logs:
            return
        self.loss = logs["loss"]
        log.info(
            "step %d of %d, progress %.3f, loss %.3f, %.0f tokens/s, %.0f min",
            state.global_step, state.max_steps, self._clock.progress(state), self.loss,
            self.tokens / max(1e-9, self._clock.seconds - self._clock.spent_s), self._clock.seconds / 60,
        )  # fmt: skip
