"""The batches of an epoch: drawn, altered, tokenised, and put together by length so that padding is small."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import msgspec

from riskstream.scoring.tokenizer import PairTokenizer
from riskstream.trainer.augment import Augmenter
from riskstream.trainer.data import Example

LOOK_AHEAD = 2048
"""Rows sorted by length at a time: enough that a batch's rows are of one length, few enough that batches stay mixed."""


class TrainBatch(msgspec.Struct, frozen=True):
    """Examples and the token ids that they are asked with this time."""

    examples: tuple[Example, ...]
    tokens: list[tuple[int, ...]]


def drawn(examples: Sequence[Example], rng: random.Random) -> list[Example]:
    """One epoch's examples in random order: each `repeat` times, a fraction by chance."""
    epoch: list[Example] = []
    for example in examples:
        whole = int(example.repeat)
        times = whole + (rng.random() < example.repeat - whole)
        epoch.extend([example] * times)
    rng.shuffle(epoch)
    return epoch


def epoch_batches(
    examples: Sequence[Example], tokenizer: PairTokenizer, augmenter: Augmenter, batch_tokens: int, rng: random.Random
) -> Iterator[TrainBatch]:
    """The batches of one epoch, each at most `batch_tokens` padded tokens (one text at least)."""
    epoch = drawn(examples, rng)
    for start in range(0, len(epoch), LOOK_AHEAD):
        chunk = epoch[start : start + LOOK_AHEAD]
        tokens = tokenizer.encode([augmenter.pair(example, rng) for example in chunk])
        groups = by_length([len(row) for row in tokens], batch_tokens)
        rng.shuffle(groups)
        for group in groups:
            yield TrainBatch(tuple(chunk[i] for i in group), [tokens[i] for i in group])


def by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Places grouped so that rows × longest row stays within `batch_tokens`; shortest first."""
    groups: list[list[int]] = []
    group: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) + 1) * lengths[place] > batch_tokens:
            groups.append(group)
            group = []
        group.append(place)
    if group:
        groups.append(group)
    return groups
