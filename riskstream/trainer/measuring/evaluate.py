"""Measures a published version on labelled rows, through the same path that the daemon uses.

    evaluate(model_dir, data_dir) ──► Evaluation ──► {split: {slice: {head: {figure: value}}}}, goals, bias, against
                                          └──► write(out): evaluation.json, evaluation.md, pictures

A slice is a file (`test.zh`), a language (`lang:zh`) or `all`; a report has more (`slices.py`). Every figure carries
its `n`; at a threshold, the version's own thresholds are used, which were fixed on `valid`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels
from riskstream.scoring.calibration import Array, probabilities, risk_scores
from riskstream.scoring.manifest import Manifest
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.config import DataConfig, DataFile
from riskstream.trainer.data.examples import Example, load_examples, of
from riskstream.trainer.measuring.bias import bias
from riskstream.trainer.measuring.bootstrap import DRAWS
from riskstream.trainer.measuring.compare import FIGURES as COMPARED
from riskstream.trainer.measuring.compare import changes
from riskstream.trainer.measuring.compare import table as change_rows
from riskstream.trainer.measuring.details import details, rounded
from riskstream.trainer.measuring.forward import run
from riskstream.trainer.measuring.goals import GOALS, as_rows, judge
from riskstream.trainer.measuring.metrics import accuracy, auc, brier_skill, ece, f1, kappa, levels_of, macro_f1
from riskstream.trainer.measuring.report import markdown
from riskstream.trainer.measuring.scored import HEADS, POSITIVES_MIN, Scored, scored
from riskstream.trainer.measuring.slices import full_slices, plain_slices

Figures = dict[str, Any]


def evaluate(
    model_dir: str | Path,
    data_dir: str | Path,
    split: str = "test",
    *,
    against: str | Path | None = None,
    out: Path | None = None,
    leaked: Collection[str] = (),
    checks: bool = True,
    draws: int = DRAWS,
) -> Figures:
    """The figures of a version on the files that its manifest names, found under `data_dir`, in one forward pass.

    `against` is another version to compare with, `out` where a report is written, `leaked` ids or texts that the goals
    leave out, `checks` whether bias is measured. Without `out` the slices' details, which take most of the time, are
    not computed. Raises OperatorError for a version that cannot be loaded, data that is missing, or a manifest without.
    """
    scorer = TorchScorer.load(Path(model_dir), device="auto")
    if not scorer.manifest.data:
        raise OperatorError("model", str(model_dir), "its manifest names no data files", "evaluate a trained version")
    files = tuple(DataFile(path) for path in scorer.manifest.data)
    examples = of(load_examples(DataConfig(str(data_dir), files), scorer.labels), split=split)
    if not examples:
        raise OperatorError("split", split, f"no file under {data_dir} has rows of it", "name another split")
    logits = run(scorer, examples)
    rows = scored(logits, examples, scorer.manifest)
    report: Figures = {
        "model": scorer.name,
        "split": split,
        "draws": draws,
        split: measure_logits(logits, examples, scorer.manifest),
        "goals": as_rows(judge(rows, leaked, draws=draws)),
    }
    if against is not None:
        report["against"] = against_old(scorer, rows, Path(against), draws)
    if checks:
        report["bias"] = bias(scorer)
    if out is not None:
        write(report, rows, out, draws)
    return report


def against_old(scorer: TorchScorer, rows: Scored, against: Path, draws: int) -> Figures:
    """The changes from another version to this one: what a gate looks at, and every goal."""
    old = TorchScorer.load(against, device="auto")
    if old.labels != scorer.labels:
        raise OperatorError(
            "against", str(against), f"its labels are not those of {scorer.name}", "name another version"
        )
    other = scored(run(old, rows.examples), rows.examples, old.manifest)
    slices = full_slices(rows.examples)
    asked = [(name, what) for name in plain_slices(rows.examples) for what in COMPARED]
    asked += [(goal.slice, goal.figure) for goal in GOALS if goal.slice in slices]
    wanted = [(name, what, slices[name]) for name, what in dict.fromkeys(asked)]
    return {"old": old.name, "changes": change_rows(changes(rows, other, wanted, draws=draws))}


def write(report: Figures, rows: Scored, out: Path, draws: int) -> None:
    """Write `evaluation.json`, `evaluation.md` and the pictures into `out`, which is made where it is missing."""
    from riskstream.trainer.measuring.plots import draw

    out.mkdir(parents=True, exist_ok=True)
    plain = plain_slices(rows.examples)
    slices = {
        name: details(rows.take(places), draws=draws, each=name in plain, curves=name == "all")
        for name, places in full_slices(rows.examples).items()
    }
    plots = draw(slices["all"], rows.manifest.labels.severity, out)
    whole = report | {"slices": slices, "plots": plots}
    lines = [f"{json.dumps(key)}: {_wide(value)}" for key, value in whole.items()]
    (out / "evaluation.json").write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")
    (out / "evaluation.md").write_text(markdown(whole), encoding="utf-8")


def _wide(value: object) -> str:
    """JSON with one line an entry of the outermost list or object: diffs stay readable, and the file small."""
    if isinstance(value, dict) and value:
        lines = (f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False, allow_nan=False)}" for k, v in value.items())
        return "{\n" + ",\n".join(lines) + "}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(json.dumps(one, ensure_ascii=False, allow_nan=False) for one in value) + "]"
    return json.dumps(value, allow_nan=False)


def measure(scorer: TorchScorer, examples: Sequence[Example]) -> Figures:
    """The compact figures of all files, languages and all rows together: what a manifest keeps."""
    return measure_logits(run(scorer, examples), examples, scorer.manifest)


def measure_logits(logits: Mapping[str, Array], examples: Sequence[Example], manifest: Manifest) -> Figures:
    """The same from logits that are already there."""
    found: Figures = {}
    for name, places in plain_slices(examples).items():
        chosen = [examples[i] for i in places]
        found[name] = measure_slice({head: v[places] for head, v in logits.items()}, chosen, manifest)
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
