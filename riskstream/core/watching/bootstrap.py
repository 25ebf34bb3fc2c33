"""What rules that look back would know, had they been there: learnt from kept signals, put into the state of a lane.

    kept signals ─► an engine with the rules that look back, whose alerts nobody hears ─► what each knows of a subject
    state of the lane ─────────────────────────────────────────────────────────────────┴─► records that change

Rule 1. Only what is known changes: no life of a rule, no alert, no document. What the state knows already stays, and
        the earlier of two beginnings of the history counts.
Rule 2. A record of another version of the rule with an open alert stays as it is: the next owner resolves that alert.
Rule 3. The lane is of no configuration afterwards, so its next owner looks at every subject anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from riskstream.core.rules.mutes import Mutes
from riskstream.core.rules.rule import RuleSet
from riskstream.core.rules.shapes.new import Seen
from riskstream.core.rules.warmth import Warm
from riskstream.core.watching.cellstate import CellState
from riskstream.core.watching.state import RULE, SIGNAL, Change, Kept, LaneState
from riskstream.core.watching.takers import LaneRules
from riskstream.core.watching.watch import RENEWING, Watch

DUE_LATER_MS = 86_400_000
"""A subject that only its history is known of is looked at in a day, to see whether that is still worth anything."""


def looking_back(rules: RuleSet) -> RuleSet:
    """The rules that need history."""
    chosen = tuple(rule for rule in rules.rules if rule.condition.shape.needs_ms is not None)
    return RuleSet(chosen, rules.origins, Mutes())


def changes(learnt: Watch, kept: Kept) -> Iterator[Change]:
    """The records of the state that learning changes."""
    clock_ms = max(learnt.clock_ms, kept.lane.clock_ms if kept.lane is not None else 0)
    for subject_id, rule, state in learnt.memories():
        sleeper = kept.sleepers.get(subject_id)
        before, upto = None, 0
        if sleeper is not None:
            before = sleeper.load(RULE, CellState).get(rule)
            upto = max((int(bucket) for kind, bucket in sleeper.names() if kind == SIGNAL), default=0)
        if before is not None and before.rule_version != state.rule_version:
            if before.open is not None:
                continue
            before = None
        memory = _together(before.memory if before is not None else None, state.memory, upto)
        base = before or CellState(rule_version=state.rule_version)
        due_ms = sleeper.due_ms if sleeper is not None else None
        later_ms = clock_ms + DUE_LATER_MS
        yield Change(
            f"{subject_id}|{RULE}|{rule}",
            msgspec.structs.replace(base, memory=memory),
            later_ms if due_ms is None else min(due_ms, later_ms),
        )


def lane_of(learnt: Watch, kept: Kept, partitions: int) -> LaneState:
    """The record of the lane itself, with since when each rule has history."""
    there = kept.lane or LaneState(learnt.clock_ms, partitions)
    knows = learnt.takers.save()
    warm = _since(there.rules.warm, knows.warm)
    rules = LaneRules(there.rules.model or knows.model, warm, there.rules.fired)
    return msgspec.structs.replace(there, config=RENEWING, rules=rules)


def _since(before: Mapping[str, Warm], learnt: Mapping[str, Warm]) -> dict[str, Warm]:
    """Of both the longer history, where it is of the same rule and model."""
    found = {**before, **learnt}
    for name in before.keys() & learnt.keys():
        was, now = before[name], learnt[name]
        same = (was.version, was.model) == (now.version, now.model)
        if same and was.since_ms is not None and now.since_ms is not None:
            found[name] = min(was, now, key=lambda warm: warm.since_ms or 0)
    return found


def _together(before: Any, learnt: Any, upto: int) -> Any:
    """What was known and what is learnt, where texts up to the number `upto` have taught already. Buckets of a spike
    are counted by their time, so what is learnt of them is all there is."""
    if not isinstance(learnt, Seen):
        return learnt
    known = before if isinstance(before, Seen) else Seen({}, {}, 0)
    both = {kind: max(known.kinds.get(kind, 0), learnt.kinds.get(kind, 0)) for kind in known.kinds | learnt.kinds}
    kinds = dict(sorted(both.items(), key=lambda item: item[1]))
    return Seen(kinds, known.firsts, max(known.upto, upto))
