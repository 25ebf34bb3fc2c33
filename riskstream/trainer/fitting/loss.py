"""The losses of the heads, masked where a row has no label for a head.

    Example ──Targets──► tensors of a batch ──┐
    network ──────────── logits ──────────────┴─Losses─► one number

Each head's sum is divided by the rows that the head would have in an average batch of this mix, not by those that it
has in this one, so that two labelled rows in a batch do not count like forty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from riskstream.trainer.config import AuxiliaryHead, FitConfig
from riskstream.trainer.data.examples import Example

UNLABELLED = -100
SINGLE = ("sentiment", "severity", "topic")
CONTRASTED = ("sentiment", "severity")


class Targets:
    """Turns examples into the label tensors of a batch, one a head, all (texts) but `risk` (texts × categories)."""

    def __init__(self, categories: int, auxiliary: Sequence[AuxiliaryHead] = ()) -> None:
        self._categories = categories
        self._auxiliary = {head.name: {label: place for place, label in enumerate(head.labels)} for head in auxiliary}

    def of(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """`UNLABELLED` where a row has no label for a head; a row of it where `risk` is unlabelled."""
        found = {head: _column(getattr(example, head) for example in examples) for head in SINGLE}
        risk = torch.zeros(len(examples), self._categories)
        for row, example in enumerate(examples):
            if example.risk is None:
                risk[row] = UNLABELLED
            else:
                risk[row, list(example.risk)] = 1.0
        found["risk"] = risk
        for head, places in self._auxiliary.items():
            found[head] = _column(places.get(dict(example.extra).get(head, "")) for example in examples)
        return found


def _column(values: Iterable[int | None]) -> Tensor:
    return torch.tensor([UNLABELLED if value is None else value for value in values], dtype=torch.long)


class Losses:
    """The loss of a batch. `examples` is the training mix, from which coverage and rarity are counted."""

    def __init__(
        self,
        config: FitConfig,
        examples: Sequence[Example],
        categories: int,
        auxiliary: Sequence[AuxiliaryHead] = (),
    ) -> None:
        self._config = config
        self._weights = {**config.head_weights, **{head.name: head.weight for head in auxiliary}}
        targets = Targets(categories, auxiliary).of(examples)
        repeat = torch.tensor([example.repeat for example in examples])
        known = {head: labelled(head, targets[head]) for head in self._weights}
        self.coverage = {head: float((repeat * mask).sum() / repeat.sum()) for head, mask in known.items()}
        judged = (repeat * labelled("risk", targets["risk"])).unsqueeze(1)
        positive = (targets["risk"].clamp(min=0) * judged).sum(dim=0)
        rarity = ((judged.sum() - positive) / positive.clamp(min=1.0)).sqrt()
        self.positive_weights = rarity.clamp(max=config.positive_weight_max)

    def of(self, logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        """One number for a batch; `logits` are (texts × labels) per head, in the batch's order."""
        total = logits["severity"].new_zeros(())
        rows = logits["severity"].shape[0]
        for head, weight in self._weights.items():
            if head not in logits or not self.coverage[head]:
                continue
            loss = self._head(head, logits[head], targets[head])
            total = total + weight * loss / (rows * self.coverage[head])
        if self._config.contrast_weight:
            for head in CONTRASTED:
                total = total + self._config.contrast_weight * contrast(logits[head], targets[head], targets["draw"])
        return total

    def _head(self, head: str, logits: Tensor, target: Tensor) -> Tensor:
        if head == "risk":
            weights = self.positive_weights.to(logits.device)
            return risk_loss(logits, target, weights, self._config.focal_gamma)
        if head == "severity":
            return severity_loss(logits, target, self._config.order_weight)
        smoothing = self._config.label_smoothing
        return F.cross_entropy(logits, target, ignore_index=UNLABELLED, reduction="sum", label_smoothing=smoothing)


def labelled(head: str, target: Tensor) -> Tensor:
    """Which rows have a label for a head, (texts)."""
    return (target[:, 0] if head == "risk" else target) != UNLABELLED


def risk_loss(logits: Tensor, target: Tensor, positive_weights: Tensor, focal_gamma: float) -> Tensor:
    """Binary cross-entropy over the labelled rows; with a gamma, what is right already counts less (focal loss)."""
    known = labelled("risk", target)
    logits, target = logits[known], target[known]
    losses = F.binary_cross_entropy_with_logits(logits, target, pos_weight=positive_weights, reduction="none")
    if focal_gamma:
        right = torch.where(target > 0, logits.sigmoid(), (-logits).sigmoid())
        losses = losses * (1.0 - right).pow(focal_gamma)
    return losses.sum()


def severity_loss(logits: Tensor, target: Tensor, order_weight: float) -> Tensor:
    """Cross-entropy plus the squared distance of the cumulative probabilities, summed over the labelled rows.

    The second part makes `severe` for `none` cost more than `watch` for `none`; alone it trains too flat a softmax.
    """
    known = target != UNLABELLED
    logits, target = logits[known], target[known]
    cumulative = logits.softmax(dim=1).cumsum(dim=1)
    wanted = F.one_hot(target, logits.shape[1]).to(logits.dtype).cumsum(dim=1)
    return F.cross_entropy(logits, target, reduction="sum") + order_weight * (cumulative - wanted).square().sum()


def contrast(logits: Tensor, target: Tensor, draw: Tensor) -> Tensor:
    """What tells two entities of one text apart: a mean over the pairs of a draw whose labels differ, 0 without any.

    For entities i and j with labels a and b, softplus(-((zᵢa - zᵢb) - (zⱼa - zⱼb))): whatever the text alone adds to
    the logits of both cancels, so that only the difference between the entities is learnt.
    """
    pairs = (draw[:, None] == draw) & (target[:, None] != target) & (target != UNLABELLED)
    i, j = (pairs & (target != UNLABELLED)[:, None]).triu(diagonal=1).nonzero(as_tuple=True)
    if not len(i):
        return logits.new_zeros(())
    a, b = target[i], target[j]
    margin = (logits[i, a] - logits[i, b]) - (logits[j, a] - logits[j, b])
    return F.softplus(-margin).mean()
