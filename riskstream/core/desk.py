"""A whole watch stage in one object, for replay, the demo's figures and tests of rules: all lanes as one.

on_signal(signal, append_ms) ─► the lane of entities ─► alerts
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from riskstream.core.contracts import Alert, Signal
from riskstream.core.held import HeldReason
from riskstream.core.records import Watched
from riskstream.core.rules import RuleSet
from riskstream.core.watch import Step, Watch


class Desk:
    """One lane of entities. The same signals give the same alerts as the stage does."""

    def __init__(self, rules: RuleSet, watchlist: Mapping[str, Watched]) -> None:
        self.entities = Watch(rules, watchlist)

    def on_signal(self, signal: Signal, append_ms: int) -> Step:
        """A signal that was appended at this time."""
        return self.entities.on_signal(signal, append_ms)

    def on_time(self, now_ms: int) -> tuple[Alert, ...]:
        """The clock goes on."""
        return self.entities.on_time(now_ms)

    def held(self) -> Counter[tuple[str, HeldReason]]:
        """What was held back so far, by rule and reason."""
        return self.entities.takers.held()
