"""Micro-batches: which pairs go through the model together, and when.

    add(item) ─► one queue per lane ─► take(): round-robin over the lanes into a look-ahead, sorted by length,
                                       cut at the token budget ─► Batch

Rule 1. A batch is due when the budget is full or its oldest pair has waited `wait_ms_max`; at once while the model is
        idle. So a thin stream goes one by one, and batches grow by themselves while the model is busy.
Rule 2. Lanes take turns, so that a lane with a backlog does not starve the others.
Rule 3. The budget counts padding: pairs of like length go together. The oldest pair always goes with the next batch,
        so that sorting cannot starve a long text.
Rule 4. The budget follows the model's pace (`pace.py`), so that a full batch is answered within `latency_ms`.
Rule 5. `full` says that the queue has reached its limit: whoever adds stops reading until a batch is taken.
"""

from __future__ import annotations

from collections import deque

import msgspec

from riskstream.core.lanes.pace import Pace
from riskstream.core.records import Batch, Encoded, Partition


class BatchLimits(msgspec.Struct, frozen=True):
    """`tokens_max` counts padded tokens of a batch; `queue_max` pairs waiting in all; `look_ahead` pairs sorted."""

    tokens_max: int = 4096
    items_max: int = 64
    wait_ms_max: int = 20
    queue_max: int = 2048
    look_ahead: int = 256
    latency_ms: int = 200


class _Waiting(msgspec.Struct, frozen=True):
    item: Encoded
    since_ms: int


class Batcher:
    """Collects encoded pairs and gives them back in batches."""

    def __init__(self, limits: BatchLimits, pace: Pace | None = None) -> None:
        self.limits = limits
        self._pace = pace or Pace(limits.latency_ms)
        self._lanes: dict[Partition, deque[_Waiting]] = {}
        self._turn: deque[Partition] = deque()
        self._count = 0
        self._tokens = 0

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        """The queue is at its limit."""
        return self._count >= self.limits.queue_max

    def add(self, item: Encoded, *, now_ms: int) -> None:
        """Queue a pair behind those of its lane."""
        lane = item.ticket.lane
        if lane not in self._lanes:
            self._lanes[lane] = deque()
            self._turn.append(lane)
        self._lanes[lane].append(_Waiting(item, now_ms))
        self._count += 1
        self._tokens += len(item.tokens)

    def due_ms(self, *, idle: bool = False) -> int | None:
        """When a batch should be taken: 0 for at once, None while nothing waits. `idle`: the model does nothing."""
        if not self._count:
            return None
        if idle or self._tokens >= self._pace.budget(self.limits.tokens_max) or self._count >= self.limits.items_max:
            return 0
        return min(queue[0].since_ms for queue in self._lanes.values()) + self.limits.wait_ms_max

    def take(self, *, now_ms: int) -> Batch | None:
        """The next batch, due or not; None while nothing waits."""
        ahead = self._draw()
        if not ahead:
            return None
        oldest = min(ahead, key=lambda w: w.since_ms)
        chosen = self._choose(ahead, oldest)
        kept = {id(w) for w in chosen}
        self._put_back([w for w in ahead if id(w) not in kept])
        return Batch(tuple(w.item for w in chosen), now_ms - oldest.since_ms)

    def drop(self, lane: Partition) -> int:
        """Forget what waits for a lane that was closed; the number forgotten."""
        queue = self._lanes.pop(lane, None)
        if queue is None:
            return 0
        self._turn.remove(lane)
        self._count -= len(queue)
        self._tokens -= sum(len(w.item.tokens) for w in queue)
        return len(queue)

    def _draw(self) -> list[_Waiting]:
        """Up to `look_ahead` pairs, one from each lane in turn."""
        drawn: list[_Waiting] = []
        while self._turn and len(drawn) < self.limits.look_ahead:
            lane = self._turn.popleft()
            queue = self._lanes[lane]
            drawn.append(queue.popleft())
            if queue:
                self._turn.append(lane)
            else:
                del self._lanes[lane]
        self._count -= len(drawn)
        self._tokens -= sum(len(w.item.tokens) for w in drawn)
        return drawn

    def _choose(self, ahead: list[_Waiting], oldest: _Waiting) -> list[_Waiting]:
        """The oldest pair and its neighbours in length, within the budget."""
        by_length = sorted(ahead, key=lambda w: len(w.item.tokens))
        low = high = next(i for i, w in enumerate(by_length) if w is oldest)
        longest, tokens_max = len(oldest.item.tokens), self._pace.budget(self.limits.tokens_max)
        while high - low + 1 < self.limits.items_max:
            size = high - low + 2
            down = longest - len(by_length[low - 1].item.tokens) if low > 0 else None
            up = len(by_length[high + 1].item.tokens) - longest if high + 1 < len(by_length) else None
            if up is not None and (down is None or up <= down) and (longest + up) * size <= tokens_max:
                high += 1
                longest += up
            elif down is not None and longest * size <= tokens_max:
                low -= 1
            else:
                break
        return by_length[low : high + 1]

    def _put_back(self, rest: list[_Waiting]) -> None:
        """Return what was drawn and not chosen to the front of its lane, in its order."""
        for waiting in reversed(rest):
            lane = waiting.item.ticket.lane
            if lane not in self._lanes:
                self._lanes[lane] = deque()
                self._turn.appendleft(lane)
            self._lanes[lane].appendleft(waiting)
            self._count += 1
            self._tokens += len(waiting.item.tokens)
