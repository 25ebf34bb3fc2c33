"""The rules of one lane at work, and what the lane keeps of them beside its subjects.

    signals ─ hear() ─► history for `warm_up_s`        firings ─► a limit a minute        what was held back, counted

Rule 1. A rule that stays as it is keeps its taker, and with that its history, through a change of the others.
Rule 2. A rule that is added or changed begins with the history that the lane's subjects remember.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from riskstream.core.reading.families import Families
from riskstream.core.rules.held import HeldReason
from riskstream.core.rules.rule import NOBODY, RuleSet, Taker, may_take, version
from riskstream.core.rules.warmth import Warm


class LaneRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """What must be kept for a lane: the model that spoke last, and by rule its history and the firings of the last
    minute."""

    model: str = ""
    warm: dict[str, Warm] = {}
    fired: dict[str, tuple[int, ...]] = {}


class Takers:
    """The takers of a rule set, in the order of their names."""

    def __init__(self, rules: RuleSet, families: Families = NOBODY) -> None:
        self.rules, self.families = rules, families
        self.all = tuple(Taker(rule, families) for rule in rules.rules)
        self._model = ""
        self._arrange()

    def hear(self, model: str, now_ms: int) -> None:
        """A signal of this model comes."""
        if model != self._model:
            self._model = model
            for taker in self.all:
                taker.warmth.hear(model, now_ms)

    def replace(self, rules: RuleSet, remembered_ms: int) -> None:
        """Go on with other rules. The subjects remember what came since `remembered_ms`."""
        kept = {taker.version: taker for taker in self.all}
        since_ms = min((ms for taker in self.all if (ms := taker.warmth.since_ms) is not None), default=None)
        self.rules = rules
        self.all = tuple(kept.get(version(rule)) or Taker(rule, self.families) for rule in rules.rules)
        for taker in self.all:
            if taker.version not in kept and since_ms is not None:
                taker.warmth.hear(self._model, max(since_ms, remembered_ms))
        self._arrange()

    def limit_to(self, families: Families) -> None:
        """The watchlist is another now."""
        self.families = families
        for taker in self.all:
            taker.limit_to(families)

    def of(self, by: str, subject_id: str, groups: tuple[str, ...]) -> tuple[Taker, ...]:
        """The rules that may ever take a signal of this subject."""
        return tuple(taker for taker in self.all if may_take(taker.rule, by, subject_id, groups))

    def held(self) -> Counter[tuple[str, HeldReason]]:
        """What was held back so far, by rule and reason."""
        return Counter({(taker.name, why): count for taker in self.all for why, count in taker.held.items()})

    def _arrange(self) -> None:
        for taker in self.all:
            taker.mutes = self.rules.mutes.of(taker.kind)
        self._looking_back = [taker for taker in self.all if taker.rule.condition.shape.needs_ms is not None]
        self._limited = [taker for taker in self.all if taker.rule.per_minute_max is not None]

    def save(self) -> LaneRules:
        """What must be kept."""
        return LaneRules(
            self._model,
            {taker.name: taker.warmth.save() for taker in self._looking_back},
            {taker.name: fired for taker in self._limited if (fired := taker.room.save())},
        )

    def restore(self, state: LaneRules) -> None:
        """Go on from what was kept. A rule that was not there then begins now."""
        self._model = state.model
        for taker in self.all:
            taker.warmth.restore(state.warm.get(taker.name))
            taker.room.restore(state.fired.get(taker.name, ()))
