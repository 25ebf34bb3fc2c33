"""The network: one encoder, pooled to one vector a text, and a linear head for each question.

    token ids ──► encoder ──► pool (first | mean | last | question) ──► sentiment   softmax
    (texts × tokens)          (texts × hidden)                       ├─► severity    softmax over an ordered scale
                                                                     ├─► risk        independent sigmoids
                                                                     └─► topic       softmax

Rule 1. The network returns logits; what they mean (temperatures, probabilities) is `calibration.py`'s business.
Rule 2. Padding never reaches a pooled vector: the mean is over a text's own tokens, the last is its own last token.
Rule 3. Severity is a plain softmax over four logits, not a chain of cumulative ones. The order of the scale is put in
        by the trainer's loss. A softmax keeps the four probabilities consistent by construction, and
        `logsumexp(material, severe) - logsumexp(none, watch)` is already the logit that `risk_score` needs.
Rule 4. `question` is the mean over the pair's first segment, its end token included: the entity, whose tokens have read
        the text through attention, or the text itself where no entity is asked about. The text's own tokens cannot
        outvote the entity, so two entities of one text may get opposite answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from transformers import AutoModel

Pooling = Literal["first", "mean", "last", "question"]
HEADS = ("sentiment", "severity", "risk", "topic")


class RiskNet(nn.Module):
    """An encoder with a linear head per question. `sizes` are the outputs of each head; size 0 leaves it out.

    `end_id` is the token that ends a segment; only pooling `question` looks for it.
    """

    def __init__(self, config: Any, sizes: Mapping[str, int], pooling: Pooling = "mean", end_id: int = -1) -> None:
        super().__init__()
        self.encoder = AutoModel.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None
        self.pooling, self.end_id = pooling, end_id
        self.dropout = nn.Dropout(getattr(config, "hidden_dropout_prob", 0.0))
        self.heads = nn.ModuleDict({name: nn.Linear(config.hidden_size, size) for name, size in sizes.items() if size})

    def forward(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Logits per head, float32 (texts × labels), of ids and mask (texts × tokens); mask is 1 on real tokens."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        read = first_segment(ids, mask, self.end_id) if self.pooling == "question" else mask
        pooled = self.dropout(pool(states, read, self.pooling))
        return {name: cast("Tensor", head(pooled)).float() for name, head in self.heads.items()}


def pool(states: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """One float32 vector a text, (texts × hidden), of token states (texts × tokens × hidden), padded on the right.

    The sum is in float32 also for a bfloat16 encoder: 200 tokens added up in eight bits of mantissa drift.
    """
    states = states.float()
    if pooling == "first":
        return states[:, 0]
    if pooling == "last":
        last = mask.sum(dim=1) - 1
        return states[torch.arange(states.shape[0], device=states.device), last]
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1)


def first_segment(ids: Tensor, mask: Tensor, end_id: int) -> Tensor:
    """The mask of a pair's first segment, (texts × tokens): all up to the first `end_id`, which is part of it."""
    ends = (ids == end_id).to(mask.dtype)
    return mask * (ends.cumsum(dim=1) - ends == 0).to(mask.dtype)


def pad(rows: list[tuple[int, ...]], pad_id: int) -> tuple[Tensor, Tensor]:
    """A rectangle of token ids and its mask, both (texts × longest), int64, on the CPU. Rows are never empty."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[place, : len(row)] = 1
    return ids, mask
