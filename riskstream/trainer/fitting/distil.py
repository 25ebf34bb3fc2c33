"""Learning from a finished version: the student's logits are drawn to the teacher's on every row, labelled or not.

loss = (1 - weight) × labels + weight × temperature² × (KL of softmax heads + binary KL of risk)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels
from riskstream.scoring.heads import HEADS
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.config import DistilConfig


class Teacher:
    """A loaded version that answers the student's batches; it must have the student's labels and tokenizer."""

    def __init__(self, config: DistilConfig, labels: Labels, tokenizer: Path) -> None:
        scorer = TorchScorer.load(Path(config.teacher))
        if scorer.labels != labels:
            raise OperatorError("distil.teacher", config.teacher, "has other labels", "name a version with the same")
        if (Path(config.teacher) / "tokenizer.json").read_bytes() != tokenizer.read_bytes():
            raise OperatorError(
                "distil.teacher", config.teacher, "reads other word pieces", "name one of the same base"
            )
        self._net, self._config = scorer.net.eval(), config

    def blend(self, loss: Tensor, logits: Mapping[str, Tensor], inputs: Mapping[str, Tensor]) -> Tensor:
        """The loss of a batch with the teacher's part in it."""
        with torch.inference_mode():
            wanted = self._net(inputs["ids"], inputs["mask"])
        weight = self._config.weight
        return (1 - weight) * loss + weight * gap(logits, wanted, self._config.temperature, self._config.heads)


def gap(
    student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], temperature: float, heads: Sequence[str] = HEADS
) -> Tensor:
    """How far the student's heads are from the teacher's, a mean over texts, summed over these heads."""
    total = student["severity"].new_zeros(())
    for head in heads:
        if head not in student or head not in teacher:
            continue
        own, wanted = student[head] / temperature, teacher[head].clone() / temperature
        if head == "risk":
            part = F.binary_cross_entropy_with_logits(own, wanted.sigmoid(), reduction="none")
            floor = F.binary_cross_entropy_with_logits(wanted, wanted.sigmoid(), reduction="none")
            total = total + (part - floor).sum(dim=1).mean() * temperature**2
        else:
            part = F.kl_div(own.log_softmax(dim=1), wanted.log_softmax(dim=1), log_target=True, reduction="batchmean")
            total = total + part * temperature**2
    return total
