"""A whole watch stage in one object, for replay and tests of rules: a lane of entities and one of rollups.

    on_signal ─► entities ─┬─► alerts
                           └─ rollups ─► the other lane, at the same time ─► alerts

The same signals give the same alerts as the stage does: there a rollup comes a moment later, by its own append time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from riskstream.core.contracts import Alert, Signal
from riskstream.core.records import Watched
from riskstream.core.rules.held import HeldReason
from riskstream.core.rules.rule import RuleSet
from riskstream.core.watching.rollups import Rollup
from riskstream.core.watching.watch import Step, Watch


class Desk:
    """Both kinds of lanes, one of each."""

    def __init__(self, rules: RuleSet, watchlist: Mapping[str, Watched]) -> None:
        self.entities = Watch(rules, watchlist)
        self.others = Watch(rules, watchlist, rollups=True)

    def on_signal(self, signal: Signal, append_ms: int) -> Step:
        """A signal that was appended at this time."""
        step = self.entities.on_signal(signal, append_ms)
        others = [*self.others.on_time(append_ms)]
        for rollup in step.rollups:
            others += self.others.on_rollup(rollup, append_ms).alerts
        return Step(_in_time(step.alerts, others), step.outcome)

    def on_heartbeat(self, rollup: Rollup, append_ms: int) -> tuple[Alert, ...]:
        """A source was heard."""
        return (*self.on_time(append_ms), *self.others.on_rollup(rollup, append_ms).alerts)

    def on_time(self, now_ms: int) -> tuple[Alert, ...]:
        """The clock goes on."""
        return _in_time(self.entities.on_time(now_ms), self.others.on_time(now_ms))

    def open_alerts(self) -> tuple[Alert, ...]:
        """The last record of every open alert."""
        return (*self.entities.open_alerts(), *self.others.open_alerts())

    def held(self) -> Counter[tuple[str, HeldReason]]:
        """What was held back so far, by rule and reason."""
        return self.entities.takers.held() + self.others.takers.held()


def _in_time(entities: Sequence[Alert], others: Sequence[Alert]) -> tuple[Alert, ...]:
    """The alerts of both lanes in the order of their times."""
    return tuple(sorted((*entities, *others), key=lambda alert: alert.updated_at))
