"""Fine-tunes the heads and the encoder under them.

    base + examples ──► RiskTrainer ──► net.safetensors, fit.json          one run
                        once a seed ──► mean of their weights              several (`fit.seeds`)

Rule 1. Only training rows are fitted. With `fit.evaluations`, `valid` is looked at to stop early; `test` never is.
Rule 2. A run that was killed goes on from its last checkpoint, if its config is the same; see `resumable`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import TrainingArguments

from riskstream.core.records import Labels
from riskstream.scoring.heads import RiskNet
from riskstream.scoring.tokenizer import PairTokenizer
from riskstream.trainer.config import TrainConfig
from riskstream.trainer.data.augment import Augmenter
from riskstream.trainer.data.examples import Example
from riskstream.trainer.data.rewrite import rewriter_of
from riskstream.trainer.fitting import network
from riskstream.trainer.fitting.batches import Batches, Share
from riskstream.trainer.fitting.callbacks import LINE_STEPS, Averaging, BestKept, Clock, Progress
from riskstream.trainer.fitting.distil import Teacher
from riskstream.trainer.fitting.draft import draft_scorer
from riskstream.trainer.fitting.loop import RiskTrainer
from riskstream.trainer.fitting.loss import Losses, Targets
from riskstream.trainer.fitting.prune import cut_base
from riskstream.trainer.measuring.evaluate import measure_slice
from riskstream.trainer.measuring.forward import run

log = logging.getLogger(__name__)
NET, REPORT, FINGERPRINT = "net.safetensors", "fit.json", "config.sha256"
CHECKPOINTS_MAX = 2


class FitReport(msgspec.Struct, frozen=True):
    """What a run did. `padding` is the share of tokens that were padding; seconds and tokens are of this process."""

    steps: int
    epochs: float
    seconds: float
    tokens: int
    padding: float
    loss: float
    finished: bool
    base: str
    device: str


def fit(
    config: TrainConfig, labels: Labels, train: Sequence[Example], valid: Sequence[Example], out: Path
) -> FitReport:
    """Train on `train` and leave the merged weights in `out`/net.safetensors. Raises OperatorError for a bad base."""
    torch.set_num_threads(max(1, config.fit.threads // processes()))
    out.mkdir(parents=True, exist_ok=True)
    base = cut_base(config.model, (f"{e.entity} {e.text}" for e in train), out)
    reports: list[FitReport] = []
    states: list[dict[str, Tensor]] = []
    for seed in config.fit.seeds or (config.fit.seed,):
        folder = out / f"seed-{seed}" if config.fit.seeds else out
        report, state = _one(config, labels, train, valid, base, folder, seed)
        reports.append(report)
        states.append(state)
    if is_main():
        save_whole(mean_of(states), out / NET)
        (out / REPORT).write_bytes(msgspec.json.encode(reports[-1]))
    return reports[-1]


def mean_of(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several runs' weights, name by name; with one run, its weights as they are."""
    first = states[0]
    return {name: torch.stack([s[name].double() for s in states]).mean(dim=0).to(first[name].dtype) for name in first}


def is_main() -> bool:
    """Whether this is the process that writes, of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def processes() -> int:
    """How many processes the run has: those that torchrun started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def save_whole(state: dict[str, Tensor], path: Path) -> None:
    """Write weights; a half-written file never has the name."""
    part = path.with_name(path.name + ".part")
    save_file(state, part)
    part.replace(path)


def _one(
    config: TrainConfig,
    labels: Labels,
    train: Sequence[Example],
    valid: Sequence[Example],
    base: Path,
    out: Path,
    seed: int,
) -> tuple[FitReport, dict[str, Tensor]]:
    """One run from the base, or from where it was killed."""
    settings = config.fit
    torch.manual_seed(config.fit.seed)
    net = network.base_net(config, labels, base)
    if settings.start:
        network.load_start(net, Path(settings.start))
    network.freeze(net, config)
    if config.lora.rank:
        network.adapt(net, config.lora)
    batches = batches_of(config, labels, train, base, seed)
    resumed = resumable(config, out)
    clock = Clock(settings.minutes_max, settings.checkpoint_minutes)
    averaging = Averaging(net, settings.average_decay, resumed) if settings.average_decay else None
    progress = Progress(clock, net)
    best = BestKept(settings.metric, settings.patience, averaging, net) if settings.evaluations else None
    trainer = RiskTrainer(
        net,
        arguments(config, out, batches, seed),
        batches,
        Losses(settings, train, len(labels.risk), config.auxiliary),
        settings,
        clock=clock,
        averaging=averaging,
        teacher=Teacher(config.distil, labels, base / "tokenizer.json") if config.distil.teacher else None,
        measure=measure_of(config, labels, base, valid) if settings.evaluations else None,
        callbacks=[progress, *([best] if best else [])],
    )
    batches.share = Share(
        trainer.args.process_index, trainer.args.world_size, done_steps(resumed) * settings.accumulation
    )
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    if best is not None:
        trainer.evaluate()
    for kept in (averaging, best):
        if kept is not None:
            kept.put_into(net)
    if is_main():
        forget_checkpoints(out)
    steps = trainer.state.global_step
    report = FitReport(
        steps=steps,
        epochs=settings.epochs * steps / max(1, trainer.state.max_steps),
        seconds=clock.seconds,
        tokens=progress.tokens,
        padding=1 - progress.tokens / max(1, progress.padded),
        loss=progress.loss,
        finished=True,
        base=Path(config.model.base).name,
        device=str(trainer.args.device),
    )
    return report, network.merged(net)


def batches_of(config: TrainConfig, labels: Labels, train: Sequence[Example], base: Path, seed: int) -> Batches:
    """The endless stream of a run's batches."""
    return Batches(
        train,
        PairTokenizer.load(base / "tokenizer.json", config.fit.tokens_max),
        Augmenter(config.augment, train, rewriter_of(config.rewrite, (e.text for e in train), Path(config.cache))),
        Targets(len(labels.risk), config.auxiliary),
        batch_tokens=max(1, config.fit.batch_tokens // processes()),
        pad_id=network.pad_id(base),
        seed=seed,
    )


def arguments(config: TrainConfig, out: Path, batches: Batches, seed: int) -> TrainingArguments:
    """The library's own settings, from ours."""
    fit_config = config.fit
    steps = max(1, batches.steps(fit_config.epochs) // (fit_config.accumulation * processes()))
    arguments = TrainingArguments(
        output_dir=str(out),
        max_steps=steps,
        gradient_accumulation_steps=fit_config.accumulation,
        max_grad_norm=fit_config.clip_norm,
        bf16=fit_config.precision == "bfloat16",
        fp16=fit_config.precision == "float16",
        seed=seed,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=LINE_STEPS,
        save_strategy="no",
        save_total_limit=CHECKPOINTS_MAX,
        eval_strategy="steps" if fit_config.evaluations else "no",
        eval_steps=max(1, steps // fit_config.evaluations) if fit_config.evaluations else None,
        report_to=list(fit_config.report_to) or "none",
        disable_tqdm=not sys.stderr.isatty(),
        ignore_data_skip=True,
        remove_unused_columns=False,
        restore_callback_states_from_checkpoint=True,
        ddp_find_unused_parameters=True,
        log_level="warning",
    )
    if fit_config.gradient_checkpointing:  # set only where wanted: its name changes in the library's version 6
        arguments.gradient_checkpointing = True
    return arguments


def measure_of(
    config: TrainConfig, labels: Labels, base: Path, valid: Sequence[Example]
) -> Callable[[RiskNet], dict[str, float]]:
    """Figures of `valid` for a network on its way, flat: `severity.kappa`, `topic.accuracy`, …, and their `mean`."""
    wanted = ("sentiment.macro_f1", "severity.kappa", "risk.micro_f1", "topic.accuracy", "risk_score.auc")

    def measured(net: RiskNet) -> dict[str, float]:
        scorer = draft_scorer(net, config.model, labels, base)
        figures = measure_slice(run(scorer, valid), valid, scorer.manifest)
        flat = {f"{head}.{name}": value for head, found in figures.items() for name, value in found.items()}
        chosen = {name: flat[name] for name in wanted if isinstance(flat.get(name), float)}
        return {**chosen, "mean": sum(chosen.values()) / max(1, len(chosen))}

    return measured


def resumable(config: TrainConfig, out: Path) -> Path | None:
    """The last checkpoint of a run of this very config that was killed; what other runs left is removed."""
    mark = hashlib.sha256(msgspec.json.encode(config)).hexdigest()
    file = out / FINGERPRINT
    if file.is_file() and file.read_text() == mark and (found := last_checkpoint(out)):
        log.info("going on from %s", found)
        return found
    if is_main():
        forget_checkpoints(out)
        out.mkdir(parents=True, exist_ok=True)
        file.write_text(mark)
    return None


def last_checkpoint(out: Path) -> Path | None:
    """The checkpoint with the most steps behind it; one that was being written when the run was killed is none."""
    whole = [folder for folder in out.glob("checkpoint-*") if (folder / "trainer_state.json").is_file()]
    return max(whole, key=done_steps, default=None)


def done_steps(checkpoint: Path | None) -> int:
    """The steps that a checkpoint had behind it, from its name."""
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def forget_checkpoints(out: Path) -> None:
    """Remove the checkpoints of a run; its weights stay."""
    for folder in out.glob("checkpoint-*"):
        shutil.rmtree(folder)


def load_net(out: Path) -> dict[str, Tensor]:
    """The weights that a finished run left."""
    return load_file(out / NET)
