"""Micro-batches while one model follows another: no batch mixes two.

    add(item, model) ─► newest model's batcher          take() ─► oldest model's batcher, until it is empty

      old  ▓▓▓░          at the swap new pairs go to a batcher of their own;
      new       ▓▓▓▓▓    the old one is emptied at once, without waiting for company, and forgotten

Rule 1. A pair leaves with the model that it came with.
Rule 2. Models leave in the order in which they came; one that comes back (a rollback) is the newest again.
Rule 3. `queue_max` counts the pairs of all models together: a swap lets no more wait than before.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import msgspec

from riskstream.core.lanes.batching import Batcher, BatchLimits
from riskstream.core.lanes.pace import Pace
from riskstream.core.records import Batch, Encoded, Partition

M = TypeVar("M")


class Relay(Generic[M]):
    """A batcher per model that has pairs waiting; models are told apart by identity."""

    def __init__(self, limits: BatchLimits) -> None:
        self.limits = limits
        self.pace = Pace(limits.latency_ms)
        self._legs: deque[tuple[M, Batcher]] = deque()

    def __len__(self) -> int:
        return sum(len(batcher) for _, batcher in self._legs)

    @property
    def full(self) -> bool:
        """The queue is at its limit."""
        return len(self) >= self.limits.queue_max

    def add(self, item: Encoded, model: M, *, now_ms: int) -> None:
        """Queue a pair for the model that tokenised it."""
        if not self._legs or self._legs[-1][0] is not model:
            self._legs.append((model, Batcher(self.limits, self.pace)))
            self._forget_empty()
        self._legs[-1][1].add(item, now_ms=now_ms)

    def due_ms(self, *, idle: bool = False) -> int | None:
        """When a batch should be taken: 0 for at once, None while nothing waits. `idle`: the model does nothing."""
        if not self._legs:
            return None
        due_ms = self._legs[0][1].due_ms(idle=idle)
        return 0 if due_ms is not None and len(self._legs) > 1 else due_ms

    def take(self, *, now_ms: int) -> tuple[M, Batch] | None:
        """The oldest model's next batch, due or not; None while nothing waits."""
        if not self._legs:
            return None
        model, batcher = self._legs[0]
        batch = batcher.take(now_ms=now_ms)
        self._forget_empty()
        return None if batch is None else (model, batch)

    def shrink(self, items: int, tokens: int) -> BatchLimits | None:
        """A batch of this size did not fit: no later one is more than half of it, down to one pair. The limits from now
        on; None where they were as low already."""
        before = self.limits
        self.limits = msgspec.structs.replace(
            before,
            items_max=min(before.items_max, max(1, items // 2)),
            tokens_max=min(before.tokens_max, max(64, tokens // 2)),
        )
        for _, batcher in self._legs:
            batcher.limits = self.limits
        return self.limits if self.limits != before else None

    def drop(self, lane: Partition) -> int:
        """Forget what waits for a lane that was closed; the number forgotten."""
        dropped = sum(batcher.drop(lane) for _, batcher in self._legs)
        self._forget_empty()
        return dropped

    def _forget_empty(self) -> None:
        while len(self._legs) > 1 and not len(self._legs[0][1]):
            self._legs.popleft()
