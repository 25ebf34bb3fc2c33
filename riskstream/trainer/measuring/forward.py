"""Runs a version over examples: the one place where measuring meets the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from riskstream.scoring.calibration import Array
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.data.examples import Example
from riskstream.trainer.lengths import by_length

BATCH_TOKENS = 4096


def run(scorer: TorchScorer, examples: Sequence[Example]) -> dict[str, Array]:
    """Logits per head (examples × labels), in the examples' order, computed in batches of like length."""
    return run_pairs(scorer, [(example.entity, example.text) for example in examples])


def run_pairs(scorer: TorchScorer, pairs: Sequence[tuple[str, str]]) -> dict[str, Array]:
    """The same for plain (entity, text) pairs; an empty dictionary for none."""
    tokens = scorer.encode(pairs)
    rows: dict[int, dict[str, Array]] = {}
    for group in by_length([len(row) for row in tokens], BATCH_TOKENS):
        found = scorer.logits([tokens[place] for place in group])
        for line, place in enumerate(group):
            rows[place] = {head: values[line] for head, values in found.items()}
    return {head: np.stack([rows[i][head] for i in range(len(pairs))]) for head in rows[0]} if rows else {}
