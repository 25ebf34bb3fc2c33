"""Measures a published version on labelled rows, through the same path that the daemon uses.

    evaluate(model_dir, data_dir) ──► {split: {slice: {head: {figure: value}}}}

A slice is a file (`test.zh`), a language (`lang:zh`) or `all`. Every figure carries its `n`; at a threshold, the
version's own thresholds are used, which were fixed on `valid`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels
from riskstream.scoring.calibration import Array, probabilities, risk_scores
from riskstream.scoring.manifest import Manifest
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.config import DataConfig, DataFile
from riskstream.trainer.data import Example, load_examples, of
from riskstream.trainer.forward import run
from riskstream.trainer.metrics import accuracy, auc, brier_skill, ece, f1, kappa, levels_of, macro_f1
from riskstream.trainer.slices import plain_slices

POSITIVES_MIN = 30
"""Categories with fewer positives in a slice are left out of its micro and macro F1."""
HEADS = ("sentiment", "severity", "risk", "topic")

Figures = dict[str, Any]


def evaluate(model_dir: str | Path, data_dir: str | Path, splits: Sequence[str] = ("valid", "test")) -> Figures:
    """The figures of a version on the files that its manifest names, found under `data_dir`.

    Raises OperatorError for a version that cannot be loaded, data that is missing, or a manifest without data.
    """
    scorer = TorchScorer.load(Path(model_dir), device="auto")
    if not scorer.manifest.data:
        raise OperatorError("model", str(model_dir), "its manifest names no data files", "evaluate a trained version")
    files = tuple(DataFile(path) for path in scorer.manifest.data)
    examples = load_examples(DataConfig(str(data_dir), files), scorer.labels)
    return {"model": scorer.name, **{split: measure(scorer, of(examples, split=split)) for split in splits}}


def measure(scorer: TorchScorer, examples: Sequence[Example]) -> Figures:
    """The figures of all slices of these examples."""
    logits = run(scorer, examples)
    found: Figures = {}
    for name, places in plain_slices(examples).items():
        chosen = [examples[i] for i in places]
        found[name] = measure_slice({head: v[places] for head, v in logits.items()}, chosen, scorer.manifest)
    return found


def measure_slice(logits: Mapping[str, Array], examples: Sequence[Example], manifest: Manifest) -> Figures:
    """The figures of each head that has labels in this slice."""
    figures: Figures = {}
    for head in HEADS:
        places = [i for i, e in enumerate(examples) if getattr(e, head) is not None]
        if not places or head not in logits:
            continue
        chosen, values = [examples[i] for i in places], logits[head][places]
        shares = probabilities(head, values, manifest.temperatures.get(head, 1.0))
        if head == "risk":
            figures[head] = categories(shares, chosen, manifest)
        else:
            truth = np.array([getattr(e, head) for e in chosen], dtype=np.int64)
            figures[head] = classes(shares, truth)
            if head == "sentiment":
                figures[head] |= pairs(shares, chosen, manifest.labels)
            if head == "severity":
                steps = levels_of(shares, manifest.thresholds.severity)
                figures[head] |= {"kappa": rounded(kappa(truth, steps, shares.shape[1]))}
                figures[head] |= {"kappa_argmax": rounded(kappa(truth, shares.argmax(axis=1), shares.shape[1]))}
                figures["risk_score"] = score_figures(risk_scores(values, manifest.risk_score), truth, manifest)
    return figures


def classes(shares: Array, truth: np.ndarray[Any, np.dtype[np.int64]]) -> Figures:
    """Figures of a head with one answer, from probabilities (rows × labels)."""
    guess = shares.argmax(axis=1)
    return {
        "n": len(truth),
        "accuracy": rounded(accuracy(truth, guess)),
        "macro_f1": rounded(macro_f1(truth, guess)),
        "ece": rounded(ece(truth == guess, shares.max(axis=1))),
    }


def pairs(shares: Array, examples: Sequence[Example], labels: Labels) -> Figures:
    """Texts that ask about two entities or more with opposite labels: the share with all of the opposed right."""
    texts: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        texts.setdefault(example.text, []).append(place)
    guess, poles = shares.argmax(axis=1), (0, len(labels.sentiment) - 1)
    groups = [[i for i in places if examples[i].sentiment in poles] for places in texts.values()]
    opposed = [group for group in groups if len({examples[i].sentiment for i in group}) > 1]
    if not opposed:
        return {}
    right = [all(guess[i] == examples[i].sentiment for i in group) for group in opposed]
    return {"pairs": len(opposed), "pairs_right": rounded(float(np.mean(right)))}


def categories(shares: Array, examples: Sequence[Example], manifest: Manifest) -> Figures:
    """Micro and macro F1 over the categories with enough positives, and F1 of each."""
    names = manifest.labels.risk
    truth = np.array([[c in (e.risk or ()) for c in range(len(names))] for e in examples])
    guess = shares >= np.array(manifest.thresholds.risk)
    counts = truth.sum(axis=0)
    common = np.flatnonzero(counts >= POSITIVES_MIN)
    each = {names[c]: {"n": int(counts[c]), "f1": rounded(f1(truth[:, c], guess[:, c]))} for c in range(len(names))}
    figures: Figures = {"n": len(examples), "categories": len(common), "each": each}
    if len(common):
        figures["micro_f1"] = rounded(f1(truth[:, common].ravel(), guess[:, common].ravel()))
        figures["macro_f1"] = rounded(float(np.mean([f1(truth[:, c], guess[:, c]) for c in common])))
    return figures


def score_figures(scores: Array, levels: np.ndarray[Any, np.dtype[np.int64]], manifest: Manifest) -> Figures:
    """How well the risk score tells material and severe from the rest, and at its threshold."""
    wanted = levels >= len(manifest.labels.severity) - 2
    flagged = scores >= manifest.thresholds.risk_score
    return {
        "n": len(levels),
        "auc": rounded(auc(wanted, scores)),
        "brier_skill": rounded(brier_skill(wanted, scores)),
        "ece": rounded(ece(wanted, scores)),
        "recall": rounded(float(flagged[wanted].mean()) if wanted.any() else float("nan")),
        "false_alarms_on_none": rounded(float(flagged[levels == 0].mean()) if (levels == 0).any() else float("nan")),
    }


def rounded(value: float) -> float | None:
    """Four decimals; None, which JSON has, for a figure that cannot be told."""
    return None if math.isnan(value) else round(value, 4)
