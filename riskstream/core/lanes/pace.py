"""How many tokens a batch may have, so that the answer is there in time: learnt from how long the last batches took.

    taken(tokens, ms) ─► tokens a millisecond, averaged ─► budget = pace × latency_ms / 2, within two limits

Rule 1. Half the latency, because under load one batch runs while the next one stands at the door.
Rule 2. A budget is a limit, not a goal: an idle model takes what there is.
Rule 3. Never below `TOKENS_MIN`: smaller batches cost throughput and gain nothing, since what is saved in the model is
        lost in the queue.
"""

from __future__ import annotations

TOKENS_MIN = 512
WEIGHT = 0.2
"""Of the newest batch in the average: five batches after a change the budget has gone two thirds of the way."""


class Pace:
    """The token budget of the next batch."""

    def __init__(self, latency_ms: float) -> None:
        self._latency_ms = latency_ms
        self._per_ms = 0.0

    def taken(self, tokens: int, milliseconds: float) -> None:
        """A batch of `tokens` was in the model for so long."""
        if tokens and milliseconds > 0:
            now = tokens / milliseconds
            self._per_ms = now if not self._per_ms else self._per_ms + WEIGHT * (now - self._per_ms)

    def budget(self, tokens_max: int) -> int:
        """The most tokens that the next batch should have, of those allowed; all of them until a batch was measured."""
        if not self._per_ms:
            return tokens_max
        return min(tokens_max, max(TOKENS_MIN, int(self._per_ms * self._latency_ms / 2)))
