"""The losses of the four heads, masked where a row has no label for a head.

Each head's sum is divided by the rows that the head would have in an average batch of this mix, not by those that it
has in this one, so that two labelled rows in a batch do not count like forty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from riskstream.trainer.config import FitConfig
from riskstream.trainer.data import Example

UNLABELLED = -100


class Losses:
    """The loss of a batch. `examples` is the training mix, from which coverage and rarity are counted."""

    def __init__(self, config: FitConfig, examples: Sequence[Example], categories: int) -> None:
        self._config = config
        total = sum(example.repeat for example in examples)
        self.coverage = {
            head: sum(e.repeat for e in examples if getattr(e, head) is not None) / total
            for head in config.head_weights
        }
        labelled = [example for example in examples if example.risk is not None]
        weights = []
        for place in range(categories):
            positive = sum(e.repeat for e in labelled if place in (e.risk or ()))
            negative = sum(e.repeat for e in labelled) - positive
            weights.append(min(config.positive_weight_max, (negative / max(positive, 1.0)) ** 0.5))
        self.positive_weights = torch.tensor(weights)

    def of(self, logits: Mapping[str, Tensor], batch: Sequence[Example]) -> Tensor:
        """One number for a batch; `logits` are (texts × labels) per head, in the batch's order."""
        total = logits["severity"].new_zeros(())
        for head, weight in self._config.head_weights.items():
            if head not in logits or not self.coverage[head]:
                continue
            loss = self._risk(logits[head], batch) if head == "risk" else self._single(head, logits[head], batch)
            total = total + weight * loss / (len(batch) * self.coverage[head])
        return total

    def _single(self, head: str, logits: Tensor, batch: Sequence[Example]) -> Tensor:
        target = torch.tensor([UNLABELLED if (v := getattr(e, head)) is None else v for e in batch])
        if head == "severity":
            return severity_loss(logits, target, self._config.order_weight)
        return F.cross_entropy(
            logits, target, ignore_index=UNLABELLED, reduction="sum", label_smoothing=self._config.label_smoothing
        )

    def _risk(self, logits: Tensor, batch: Sequence[Example]) -> Tensor:
        target = torch.zeros_like(logits)
        mask = torch.zeros(len(batch), 1)
        for row, example in enumerate(batch):
            if example.risk is not None:
                mask[row] = 1.0
                target[row, list(example.risk)] = 1.0
        return F.binary_cross_entropy_with_logits(
            logits, target, weight=mask, pos_weight=self.positive_weights, reduction="sum"
        )


def severity_loss(logits: Tensor, target: Tensor, order_weight: float) -> Tensor:
    """Cross-entropy plus the squared distance of the cumulative probabilities, summed over the labelled rows.

    The second part makes `severe` for `none` cost more than `watch` for `none`; alone it trains too flat a softmax.
    """
    known = target != UNLABELLED
    if not known.any():
        return logits.sum() * 0.0
    logits, target = logits[known], target[known]
    cumulative = logits.softmax(dim=1).cumsum(dim=1)
    wanted = F.one_hot(target, logits.shape[1]).to(logits.dtype).cumsum(dim=1)
    return F.cross_entropy(logits, target, reduction="sum") + order_weight * (cumulative - wanted).square().sum()
