"""The longest batch, measured at the start: it must end within the time in which a lane lets go.

    a full batch of the longest rows ── once to warm up, once by the clock ──► seconds < stages.drain_ms, or no start

A batch cannot be stopped. Where one may take longer than a lane has to drain, every rebalance under load gives up work
that was nearly done, and the next owner does it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from riskstream.core.errors import OperatorError
from riskstream.core.ports import Scorer
from riskstream.core.records import Encoded, Partition, Ticket
from riskstream.sections import Batching, Stages

_TICKET = Ticket(Partition("", 0), 0, 0)


def full_batch(scorer: Scorer, limits: Batching) -> list[Encoded]:
    """As many rows of the model's own length as one batch may hold."""
    (row,) = scorer.encode([("Acme", "Acme denies that it missed a payment. " * scorer.tokens_max)])
    rows = max(1, min(limits.items_max, limits.tokens_max // len(row)))
    return [Encoded(_TICKET, index, row) for index in range(rows)]


def check_longest_batch(
    scorer: Scorer, batching: Batching, stages: Stages, clock: Callable[[], float] = time.monotonic
) -> float:
    """The seconds of a full batch on this machine, on the caller's thread. Raises OperatorError where they are too
    many."""
    batch = full_batch(scorer, batching)
    scorer.score(batch)
    started = clock()
    scorer.score(batch)
    seconds = clock() - started
    if seconds * 1000 >= stages.drain_ms:
        problem = (
            f"a full batch takes {seconds:.1f} s on this machine, longer than stages.drain_ms = {stages.drain_ms}, so "
            "that a lane which is taken away cannot finish it"
        )
        fix = "lower batching.tokens_max, or raise stages.drain_ms with kafka.rebalance_timeout_ms and stages.grace_ms"
        raise OperatorError("batching.tokens_max", batching.tokens_max, problem, fix)
    return seconds
