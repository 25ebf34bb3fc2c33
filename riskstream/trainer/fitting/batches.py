"""The batches of a run: drawn, altered, tokenised, and put together by length so that padding is small.

    examples ──draw──► an epoch's rows ──alter, tokenise──► 2,048 at a time, by length ──► batches ──► tensors

Rule 1. The stream is endless and a function of its seed alone: whoever resumes skips what was done and goes on.
Rule 2. Processes of one run take every n-th batch, so none sees a batch of another.
Rule 3. What is asked about one text in one draw is side by side, so that its answers can be compared (`loss.contrast`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import msgspec
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from riskstream.scoring.heads import pad
from riskstream.scoring.tokenizer import PairTokenizer
from riskstream.trainer.data.augment import Augmenter
from riskstream.trainer.data.examples import Example
from riskstream.trainer.fitting.loss import Targets
from riskstream.trainer.lengths import by_length

Drawn = tuple[int, Example]
"""An example, and the number of its draw: those that ask about one text at a time have the same."""

LOOK_AHEAD = 2048
"""Rows sorted by length at a time: enough that a batch's rows are of one length, few enough that batches stay mixed."""


class Share(msgspec.Struct, frozen=True):
    """Which batches are this process's: every `of`-th, from `rank`; and how many of its own it has done already."""

    rank: int = 0
    of: int = 1
    done: int = 0


class Batches(IterableDataset[dict[str, Tensor]]):
    """The endless stream of training batches, as tensors by name: `ids`, `mask`, `draw` and the targets of each head.

    Rows of one number of `draw` ask about one text.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        tokenizer: PairTokenizer,
        augmenter: Augmenter,
        targets: Targets,
        *,
        batch_tokens: int,
        pad_id: int,
        seed: int,
    ) -> None:
        self._examples, self._tokenizer, self._augmenter, self._targets = examples, tokenizer, augmenter, targets
        self._batch_tokens, self._pad_id, self._seed = batch_tokens, pad_id, seed
        self.share = Share()

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Never ends. Of the batches before `share.done` nothing but their place is computed."""
        rng = random.Random(self._seed)  # noqa: S311 (not for secrets)
        share, place = self.share, 0
        first = share.rank + share.done * share.of
        while True:
            for chunk, rows in self._chunks(rng):
                groups = by_length([len(row) for row in rows], self._batch_tokens, [draw for draw, _ in chunk])
                rng.shuffle(groups)
                for group in groups:
                    if place >= first and place % share.of == share.rank:
                        yield self._tensors([chunk[i] for i in group], [rows[i] for i in group])
                    place += 1

    def steps(self, epochs: float) -> int:
        """How many batches of this process `epochs` passes take, from one draw."""
        rng = random.Random(self._seed)  # noqa: S311 (not for secrets)
        count = sum(len(by_length([len(r) for r in rows], self._batch_tokens)) for _, rows in self._chunks(rng))
        return max(1, round(epochs * count / self.share.of))

    def _chunks(self, rng: random.Random) -> Iterator[tuple[list[Drawn], list[tuple[int, ...]]]]:
        epoch = drawn(self._examples, rng)
        for start in range(0, len(epoch), LOOK_AHEAD):
            chunk = epoch[start : start + LOOK_AHEAD]
            yield chunk, self._tokenizer.encode([self._augmenter.pair(example, rng) for _, example in chunk])

    def _tensors(self, chosen: Sequence[Drawn], rows: list[tuple[int, ...]]) -> dict[str, Tensor]:
        ids, mask = pad(rows, self._pad_id)
        draw = torch.tensor([draw for draw, _ in chosen])
        return {"ids": ids, "mask": mask, "draw": draw, **self._targets.of([example for _, example in chosen])}


def drawn(examples: Sequence[Example], rng: random.Random) -> list[Drawn]:
    """One epoch's examples: each `repeat` times, a fraction by chance; in random order, those of one text together."""
    draws: dict[tuple[str, int], list[Example]] = {}
    for example in examples:
        whole = int(example.repeat)
        for time in range(whole + (rng.random() < example.repeat - whole)):
            draws.setdefault((example.text, time), []).append(example)
    texts = list(draws.values())
    rng.shuffle(texts)
    return [(draw, example) for draw, asked in enumerate(texts) for example in asked]
