"""Looks for better settings of a run: `riskstream train --config … --search N`.

    config.search.ranges ──Optuna──► N short runs on `train` ──► figures of `valid` ──► the best values

Rule 1. A search publishes nothing and changes no file: it ends in one line of JSON that says what to write.
Rule 2. Every trial has the same seed and the same minutes, so that what differs is the settings.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import msgspec
import optuna
from safetensors.torch import load_file

from riskstream.core.errors import OperatorError
from riskstream.trainer.config import FitConfig, TrainConfig, load_config
from riskstream.trainer.data.augment import contrasting
from riskstream.trainer.data.examples import load_examples, of
from riskstream.trainer.fitting.fit import NET, fit, measure_of
from riskstream.trainer.fitting.network import base_net
from riskstream.trainer.versions.run import base_of, checkpoint_of, labels_of

log = logging.getLogger(__name__)


def search(config_path: str | Path, trials: int) -> dict[str, Any]:
    """Try `trials` settings; returns the best values, their figure and all trials.

    Each takes `search.minutes_max`. Raises OperatorError for a range of a key that is no number of `fit`.
    """
    config = load_config(Path(config_path))
    check_ranges(config)
    labels = labels_of(config)
    examples = load_examples(config.data, labels)
    train = contrasting(of(examples, split="train"), config.augment.contrast)
    valid = of(examples, split="valid")
    folder = checkpoint_of(config).with_name(f"{checkpoint_of(config).name}-search")

    def trial_figure(trial: optuna.Trial) -> float:
        chosen = {key: trial.suggest_float(key, *ends, log=True) for key, ends in config.search.ranges.items()}
        tried = with_values(config, chosen)
        out = folder / f"trial-{trial.number}"
        fit(tried, labels, train, valid, out)
        base = base_of(tried, out)
        net = base_net(tried, labels, base)
        net.load_state_dict(load_file(out / NET), strict=False)
        figure = measure_of(tried, labels, base, valid)(net.eval())[config.fit.metric]
        shutil.rmtree(out)
        log.info("trial %d: %s %.4f with %s", trial.number, config.fit.metric, figure, chosen)
        return figure

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=config.fit.seed))
    study.optimize(trial_figure, n_trials=trials)
    done = [{"value": trial.value, **trial.params} for trial in study.trials]
    return {"metric": config.fit.metric, "best": study.best_value, "fit": study.best_params, "trials": done}


def check_ranges(config: TrainConfig) -> None:
    """Raise OperatorError where a range is of no numeric key of `fit`, or is none."""
    for key, (low, high) in config.search.ranges.items():
        if not isinstance(getattr(config.fit, key, None), float):
            known = [field for field in FitConfig.__struct_fields__ if isinstance(getattr(config.fit, field), float)]
            raise OperatorError("search.ranges", key, "is no number of [fit]", f"use one of: {', '.join(known)}")
        if not 0 < low < high:
            raise OperatorError(
                "search.ranges", f"{key} = [{low}, {high}]", "is no range", "write a low and a high, above 0"
            )


def with_values(config: TrainConfig, values: dict[str, float]) -> TrainConfig:
    """The config of one trial: these values, the trial's minutes, one seed, no evaluations on the way."""
    short = {"minutes_max": config.search.minutes_max, "evaluations": 0, "seeds": ()}
    return msgspec.structs.replace(config, fit=msgspec.structs.replace(config.fit, **{**short, **values}))
