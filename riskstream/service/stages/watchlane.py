"""One lane of the watch stage: its engine, what it is judged by, and what is on its way out.

in force ─► engine ─► results, `ahead` of their commit          `waiting`: what comes while the engine is renewed
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from riskstream.core.records import Message, Ticket, Watched
from riskstream.core.rules.held import HeldReason
from riskstream.core.rules.rule import RuleSet
from riskstream.core.watching.watch import Watch
from riskstream.service.stages.lanes import Done, Finish


class InForce(msgspec.Struct, frozen=True):
    """What lanes are judged by; `config` names it in their state."""

    rules: RuleSet
    watchlist: Mapping[str, Watched]
    config: str = ""


class WatchLane:
    """The engine of one lane. `offset` and `clock_ms` are those of the state that it began with; `end` is where its log
    ends, `ahead` how many of its results are not committed, `held` what was held back and is counted. `in_force` is
    what it is judged by, or being brought under, and `waiting` what came meanwhile; `add` takes results of no record.
    """

    __slots__ = ("add", "ahead", "clock_ms", "end", "engine", "held", "in_force", "offset", "waiting")

    def __init__(self, engine: Watch, in_force: InForce, offset: int, end: int) -> None:
        self.engine, self.in_force, self.offset, self.end = engine, in_force, offset, end
        self.clock_ms, self.ahead = engine.clock_ms, 0
        self.held: Counter[tuple[str, HeldReason]] = Counter()
        self.waiting: list[tuple[Ticket, Message, Finish]] = []
        self.add: Callable[[Done], None] = _nowhere

    def knows(self, message: Message) -> bool:
        """Its state was written after this signal."""
        return message.position.offset <= self.offset and message.timestamp_ms <= self.clock_ms


def _nowhere(_: Done) -> None:
    """A lane that is not open."""
