"""Examples with what a version says of them, as columns: the table that all figures are read from.

    examples + logits + manifest ──► Scored ──take(places)──► Scored of a slice ──figure(name)──► weights → values

A figure has one name everywhere (goals, comparison, gate): `<head>.<figure>`, and is a function of row weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from riskstream.scoring.calibration import Array, probabilities, risk_scores
from riskstream.scoring.manifest import Manifest
from riskstream.trainer.data.examples import Example
from riskstream.trainer.measuring import weighted
from riskstream.trainer.measuring.bootstrap import Figure, clusters
from riskstream.trainer.measuring.metrics import Bools, Floats, Ints, levels_of

POSITIVES_MIN = 30
"""Categories with fewer positives in a slice are left out of its micro and macro F1."""
UNLABELLED = -1
HEADS = ("sentiment", "severity", "risk", "topic")


@dataclass(frozen=True)
class Scored:
    """Rows as columns. `shares` are calibrated probabilities (rows × labels) by head; a truth of -1 is unlabelled."""

    examples: tuple[Example, ...]
    texts: Ints
    shares: dict[str, Array]
    scores: Floats
    levels: Ints
    truth: dict[str, Ints]
    risk: Bools
    manifest: Manifest

    def take(self, places: Sequence[int] | Ints) -> Scored:
        """The rows at these places."""
        at = np.asarray(places, dtype=np.int64)
        return Scored(
            tuple(self.examples[place] for place in at),
            clusters([self.examples[place].text for place in at]),
            {head: values[at] for head, values in self.shares.items()},
            self.scores[at],
            self.levels[at],
            {head: values[at] for head, values in self.truth.items()},
            self.risk[at],
            self.manifest,
        )

    def labelled(self, head: str) -> Scored:
        """The rows that have a label for a head; `risk_score` is judged on those with a severity."""
        name = "severity" if head == "risk_score" else head
        return self.take(np.flatnonzero(self.truth[name] != UNLABELLED))

    def wanted(self) -> Bools:
        """The rows that a desk would want: material or severe."""
        return self.truth["severity"] >= len(self.manifest.labels.severity) - 2

    def flagged(self) -> Bools:
        """The rows whose risk score reaches the version's threshold."""
        return self.scores >= self.manifest.thresholds.risk_score

    def named(self) -> Bools:
        """The categories that reach their thresholds (rows × categories)."""
        return self.shares["risk"] >= np.array(self.manifest.thresholds.risk)


def scored(logits: Mapping[str, Array], examples: Sequence[Example], manifest: Manifest) -> Scored:
    """The table of these examples; `logits` by head (examples × labels), as `evaluate.run` gives them."""
    rows = len(examples)
    shares = {
        head: probabilities(head, logits[head], manifest.temperatures.get(head, 1.0))
        if head in logits
        else np.zeros((rows, len(getattr(manifest.labels, head))))
        for head in HEADS
    }
    truth = {
        head: np.array([UNLABELLED if (v := getattr(e, head)) is None else v for e in examples], dtype=np.int64)
        for head in HEADS
        if head != "risk"
    }
    truth["risk"] = np.array([UNLABELLED if e.risk is None else 0 for e in examples], dtype=np.int64)
    names = range(len(manifest.labels.risk))
    risk = np.array([[c in (e.risk or ()) for c in names] for e in examples], dtype=bool).reshape(rows, len(names))
    score = risk_scores(logits["severity"], manifest.risk_score) if "severity" in logits else np.zeros(rows)
    levels = levels_of(shares["severity"], manifest.thresholds.severity)
    texts = clusters([e.text for e in examples])
    return Scored(tuple(examples), texts, shares, score, levels, truth, risk, manifest)


def kin(rows: Scored, *, opposed: bool) -> tuple[Ints, Bools]:
    """Texts that ask about several entities with differing sentiment: (first row of each, are all of them right).

    `opposed`: only the negative and positive rows count, and both must be there; else any two labels that differ, and
    every labelled row of the text must be right.
    """
    poles = (0, rows.shares["sentiment"].shape[1] - 1)
    guess, truth = rows.shares["sentiment"].argmax(axis=1), rows.truth["sentiment"]
    groups: dict[int, list[int]] = {}
    for place, text in enumerate(rows.texts.tolist()):
        if truth[place] != UNLABELLED and (not opposed or truth[place] in poles):
            groups.setdefault(text, []).append(place)
    chosen = [group for group in groups.values() if len(set(truth[group].tolist())) > 1]
    right = [bool((guess[group] == truth[group]).all()) for group in chosen]
    return np.array([group[0] for group in chosen], dtype=np.int64), np.array(right, dtype=bool)


def figure(name: str, rows: Scored) -> tuple[Figure, int]:
    """A figure of labelled rows as a function of row weights, and how many rows (pairs: texts) it rests on.

    `rows` must be `Scored.labelled(head)` of the figure's own head. Raises KeyError for a figure that there is not.
    """
    head, kind = name.split(".")
    if head == "risk_score":
        return _score_figure(kind, rows)
    if head == "risk":
        return _category_figure(kind, rows)
    if kind in ("pairs_differ", "pairs_opposed"):
        firsts, right = kin(rows, opposed=kind == "pairs_opposed")
        return (lambda w: weighted.share(right, w[:, firsts])), len(firsts)
    truth, share = rows.truth[head], rows.shares[head]
    guess = rows.levels if kind == "kappa" else share.argmax(axis=1)
    kinds: dict[str, Figure] = {
        "accuracy": lambda w: weighted.share(truth == guess, w),
        "macro_f1": lambda w: weighted.macro_f1(truth, guess, w),
        "ece": lambda w: weighted.ece(truth == guess, share.max(axis=1), w),
        "kappa": lambda w: weighted.kappa(truth, guess, share.shape[1], w),
    }
    return kinds[kind], len(truth)


def _score_figure(kind: str, rows: Scored) -> tuple[Figure, int]:
    truth, score, flagged = rows.wanted(), rows.scores, rows.flagged()
    calm = rows.truth["severity"] == 0
    kinds: dict[str, tuple[Figure, int]] = {
        "auc": (lambda w: weighted.auc(truth, score, w), len(truth)),
        "average_precision": (lambda w: weighted.average_precision(truth, score, w), len(truth)),
        "brier_skill": (lambda w: weighted.brier_skill(truth, score, w), len(truth)),
        "brier": (lambda w: weighted.brier(truth, score, w), len(truth)),
        "ece": (lambda w: weighted.ece(truth, score, w), len(truth)),
        "recall": (lambda w: weighted.share(flagged[truth], w[:, truth]), int(truth.sum())),
        "false_alarms": (lambda w: weighted.share(flagged[calm], w[:, calm]), int(calm.sum())),
    }
    return kinds[kind]


def _category_figure(kind: str, rows: Scored) -> tuple[Figure, int]:
    common = rows.risk.sum(axis=0) >= POSITIVES_MIN
    truth, guess = rows.risk[:, common], rows.named()[:, common]
    kinds: dict[str, Callable[[Floats], Floats]] = {
        "micro_f1": lambda w: weighted.label_f1(truth, guess, w, "micro"),
        "macro_f1": lambda w: weighted.label_f1(truth, guess, w, "macro"),
    }
    return kinds[kind], len(truth)


LOW_IS_GOOD = frozenset({"risk_score.false_alarms", "risk_score.ece", "risk_score.brier", "sentiment.ece"})
"""Figures where less is better."""
