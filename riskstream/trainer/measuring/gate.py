"""Whether a candidate takes the champion's place: the same rows asked of both, row by row.

    golden (old rows)   no head may fall by more than `worse_max`, beyond what chance explains
                        the calibration error of the risk score may not rise by more than `calibration_worse_max`
    held (new labels)   the mean over their rows must rise, beyond what chance explains, and no head may fall so

Rule 1. A row's score is 0 to 1: a right class is 1, a severity loses by the square of its distance, categories count
        what both name over what either names. Each version decides at its own thresholds.
Rule 2. "Beyond chance" is the 95 % interval of the mean difference over paired draws of texts, seeded.

An honest doubt: with few held rows a real gain may not be shown, and the champion stays. More labels cure it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from riskstream.scoring.calibration import Array, probabilities, risk_scores
from riskstream.scoring.manifest import Manifest
from riskstream.trainer.data.examples import Example
from riskstream.trainer.measuring.metrics import ece, levels_of

HEADS = ("sentiment", "severity", "risk", "topic")
DRAWS, SEED = 2_000, 17
ROWS_MIN = 30
"""A head with fewer golden rows is reported and not judged."""


class Limits(msgspec.Struct, frozen=True):
    """What the gate allows on golden rows."""

    worse_max: float
    calibration_worse_max: float


class Answers(msgspec.Struct, frozen=True):
    """What one version made of some rows: scores by head, nan where a row has no label; the risk score's error."""

    heads: dict[str, Array]
    texts: tuple[str, ...]
    calibration: float

    @property
    def rows(self) -> Array:
        """The mean over each row's labelled heads."""
        stacked = np.stack(list(self.heads.values()))
        return np.asarray(np.nanmean(stacked, axis=0))


class Change(msgspec.Struct, frozen=True):
    """The mean score before and after, and the 95 % interval of the difference."""

    n: int
    before: float
    after: float
    low: float
    high: float


class Decision(msgspec.Struct, frozen=True):
    """What the gate says, and the figures that it says it by."""

    promoted: bool
    reasons: tuple[str, ...]
    golden: dict[str, Change]
    held: dict[str, Change]
    calibration: tuple[float, float]


def answers(logits: Mapping[str, Array], examples: Sequence[Example], manifest: Manifest) -> Answers:
    """Score the outputs of one version (rows × labels per head) against the labels."""
    heads = {head: np.full(len(examples), np.nan) for head in HEADS}
    for head in HEADS:
        places = [i for i, example in enumerate(examples) if getattr(example, head) is not None]
        if places and head in logits:
            shares = probabilities(head, logits[head][places], manifest.temperatures.get(head, 1.0))
            heads[head][places] = _scores(head, shares, [examples[i] for i in places], manifest)
    judged = [i for i, example in enumerate(examples) if example.severity is not None]
    wanted = np.array([(examples[i].severity or 0) >= len(manifest.labels.severity) - 2 for i in judged], dtype=bool)
    scores = risk_scores(logits["severity"][judged], manifest.risk_score) if judged else np.zeros(0)
    return Answers(heads, tuple(example.text for example in examples), ece(wanted, scores))


def _scores(head: str, shares: Array, examples: Sequence[Example], manifest: Manifest) -> Array:
    """0 to 1 for each row."""
    if head == "severity":
        truth = np.array([example.severity for example in examples])
        away = (levels_of(shares, manifest.thresholds.severity) - truth) / (shares.shape[1] - 1)
        return np.asarray(1.0 - np.square(away))
    if head == "risk":
        guess = shares >= np.array(manifest.thresholds.risk)
        wanted = np.array([[c in (example.risk or ()) for c in range(shares.shape[1])] for example in examples])
        either, both = (guess | wanted).sum(axis=1), (guess & wanted).sum(axis=1)
        return np.asarray(np.where(either == 0, 1.0, both / np.maximum(either, 1)))
    truth = np.array([getattr(example, head) for example in examples])
    return np.asarray((shares.argmax(axis=1) == truth).astype(np.float64))


def decide(golden: tuple[Answers, Answers], held: tuple[Answers, Answers], limits: Limits) -> Decision:
    """Judge (champion, candidate) on old rows and on new labels."""
    old, new = changes(*golden), changes(*held)
    before, after = golden[0].calibration, golden[1].calibration
    judged = [("golden", head, c) for head, c in old.items() if c.n >= ROWS_MIN]
    judged += [("held", head, c) for head, c in new.items() if head != "all"]
    reasons = [
        f"{rows} {head} fell from {c.before:.4f} to {c.after:.4f}, more than {limits.worse_max} and beyond chance"
        for rows, head, c in judged
        if c.after - c.before < -limits.worse_max and c.high < 0
    ]
    if not any(c.n >= ROWS_MIN for c in old.values()):
        reasons.append(f"no head has {ROWS_MIN} golden rows, so nothing shows that it is not worse")
    if after - before > limits.calibration_worse_max:
        allowed = limits.calibration_worse_max
        reasons.append(
            f"the calibration error of the risk score rose from {before:.4f} to {after:.4f}, {allowed} allowed"
        )
    rows = new.get("all")
    if rows is None:
        reasons.append("no held label to be better on")
    elif rows.low <= 0:
        reasons.append(f"not shown to be better on the {rows.n} held labels: {rows.before:.4f} to {rows.after:.4f}, "
                       f"difference {rows.low:.4f} to {rows.high:.4f}")  # fmt: skip
    return Decision(not reasons, tuple(reasons), old, new, (round(before, 4), round(after, 4)))


def changes(before: Answers, after: Answers) -> dict[str, Change]:
    """The change of each head that has rows, and of the rows' means as `all`."""
    found = {}
    for head, was in before.heads.items():
        places = np.flatnonzero(~np.isnan(was))
        if len(places):
            found[head] = _change(was[places], after.heads[head][places], [before.texts[i] for i in places])
    if found:
        found["all"] = _change(before.rows, after.rows, before.texts)
    return found


def _change(before: Array, after: Array, texts: Sequence[str]) -> Change:
    """Paired draws of texts, so that the rows of one text come and go together."""
    _, cluster = np.unique(np.array(texts, dtype=object).astype(str), return_inverse=True)
    sums, sizes = np.bincount(cluster, after - before), np.bincount(cluster)
    drawn = np.random.default_rng(SEED).integers(0, len(sizes), (DRAWS, len(sizes)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), (0.025, 0.975))
    return Change(len(before), *(round(float(value), 4) for value in (np.mean(before), np.mean(after), low, high)))
