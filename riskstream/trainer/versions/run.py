"""The trainer's command, from top to bottom.

    riskstream train --config config/train/finrisk.toml

    config ──► examples ──► fit (train) ──► calibrate (valid) ──► publish ──► measure (valid, test) ──► card, manifest
                               │ .cache/train/<name>-<version>/            models/<name>/<version>/

It ends in one line of JSON: what `train` returns.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
from transformers import AutoConfig

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels
from riskstream.scoring.heads import Pooling, RiskNet
from riskstream.scoring.manifest import Manifest, sha256
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.config import TrainConfig, load_config
from riskstream.trainer.data.augment import contrasting
from riskstream.trainer.data.examples import Example, load_examples, of, path_of
from riskstream.trainer.fitting.draft import draft_scorer
from riskstream.trainer.fitting.fit import NET, REPORT, FitReport, is_main, load_net
from riskstream.trainer.fitting.legs import fit_legs
from riskstream.trainer.fitting.network import end_id, head_sizes
from riskstream.trainer.measuring.calibrate import calibrate
from riskstream.trainer.measuring.evaluate import Figures, measure, measure_slice
from riskstream.trainer.measuring.forward import run
from riskstream.trainer.versions.card import card
from riskstream.trainer.versions.publish import write_version

log = logging.getLogger(__name__)


def train(config_path: str | Path) -> dict[str, Any]:
    """Train, calibrate, publish and measure a version; returns where it is, the run's figures and those of `test`.

    Takes what `fit.minutes_max` allows and some minutes more. Raises OperatorError for a bad config, row or base.
    """
    config = load_config(Path(config_path))
    labels = labels_of(config)
    examples = load_examples(config.data, labels)
    out = checkpoint_of(config)
    drawn = contrasting(of(examples, split="train"), config.augment.contrast)
    fit_legs(config, labels, drawn, of(examples, split="valid"), out)
    return finish(config, labels, examples, out) if is_main() else {}


def finish(config: TrainConfig, labels: Labels, examples: Sequence[Example], out: Path) -> dict[str, Any]:
    """Make a version of the checkpoint in `out`: the part of `train` after the fitting."""
    if not (out / NET).is_file():
        raise OperatorError("cache", str(out), f"there is no {NET} in it", "train first")
    report = msgspec.json.decode((out / REPORT).read_bytes(), type=FitReport)
    valid, test = of(examples, split="valid"), of(examples, split="test")
    directory = Path(config.models) / config.model.name / config.model.version
    plain = whole_scorer(config, labels, out)
    exact = run(plain, valid)
    log.info("valid scored with unpacked weights")
    chosen = calibrate(exact, valid, labels, config.calibration)
    manifest = msgspec.structs.replace(
        plain.manifest,
        temperatures=chosen.temperatures,
        risk_score=chosen.risk_score,
        thresholds=chosen.thresholds,
        window_log=chosen.window_log,
        data={file.path: sha256(path_of(config.data, file)) for file in config.data.files if not file.root},
        rows={file.path: sha256(path_of(config.data, file)) for file in config.data.files if file.root},
    )
    publish(config, out, manifest, "")
    scorer = TorchScorer.load(directory, threads=config.fit.threads)
    found: Figures = {"valid": measure(scorer, valid), "test": measure(scorer, test)}
    found["packing_loss"] = packing_loss(measure_slice(exact, valid, manifest), found["valid"]["all"])
    finished = msgspec.structs.replace(manifest, metrics=found)
    publish(config, out, finished, card(config, finished, msgspec.to_builtins(report)))
    return {"version": str(directory), "fit": msgspec.to_builtins(report), "test": summary(found["test"])}


def labels_of(config: TrainConfig) -> Labels:
    """The labels that the config names."""
    named = config.labels
    return Labels(named.sentiment, named.severity, named.risk, named.topic)


def checkpoint_of(config: TrainConfig) -> Path:
    """Where a run of this config leaves its network."""
    return Path(config.cache) / f"{config.model.name}-{config.model.version}"


def whole_scorer(config: TrainConfig, labels: Labels, out: Path) -> TorchScorer:
    """The checkpoint as a scorer, with weights that were not packed and nothing calibrated."""
    base = base_of(config, out)
    pooling = cast("Pooling", config.model.pooling)
    net = RiskNet(AutoConfig.from_pretrained(base), head_sizes(labels), pooling, end_id(base))
    net.load_state_dict(load_net(out))
    return draft_scorer(net.eval(), config.model, labels, base)


def base_of(config: TrainConfig, out: Path) -> Path:
    """Where the base lies that was trained: the config's own, or the smaller copy that was cut from it."""
    return out / "base" if config.model.keep_layers or config.model.vocabulary_min else Path(config.model.base)


def publish(config: TrainConfig, out: Path, manifest: Manifest, text: str) -> Manifest:
    """Write the version directory of the checkpoint."""
    base = base_of(config, out)
    return write_version(
        Path(config.models) / config.model.name / config.model.version,
        state=load_net(out),
        shape=AutoConfig.from_pretrained(base).to_dict(),
        tokenizer=base / "tokenizer.json",
        manifest=manifest,
        card=text,
    )


def packing_loss(exact: Figures, packed: Figures) -> dict[str, float]:
    """What int8 weights cost on `valid`: packed minus exact, for one figure a head."""
    figures = (
        ("sentiment", "macro_f1"),
        ("severity", "kappa"),
        ("risk", "micro_f1"),
        ("topic", "accuracy"),
        ("risk_score", "auc"),
    )
    return {
        f"{head} {figure}": round(packed[head][figure] - exact[head][figure], 4)
        for head, figure in figures
        if packed.get(head, {}).get(figure) is not None and exact.get(head, {}).get(figure) is not None
    }


def summary(figures: Figures) -> Figures:
    """The figures without those of single categories: what fits in a line."""
    return {
        name: {head: {key: value for key, value in values.items() if key != "each"} for head, values in heads.items()}
        for name, heads in figures.items()
    }
