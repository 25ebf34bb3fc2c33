"""One signal as a rule sees it."""

from __future__ import annotations

from typing import NamedTuple

from riskstream.core.records import Signal
from riskstream.core.rules.novelty import Placed


class Event(NamedTuple):
    """One signal as a rule sees it. (event_ms, sequence) is unique within a subject and is the order.

    `amount` is in ten-thousandths. `placed` says which story it tells; `voice` is who is counted for it, empty where it
    denies. `steps` has bit n set where the signal is step n of a sequence.
    """

    event_ms: int
    sequence: int
    amount: int
    signal: Signal
    placed: Placed
    voice: str
    steps: int = 0
