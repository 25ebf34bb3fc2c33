"""From signals about entities to subjects that are more than one: groups, portfolios, sources, the market.

    lane of entities ─ Signal ─ Router ─► Rollup(by, id, signal) ─► riskstream.rollups, key = by:id ─► lane of rollups
    score stage ───── at most one heartbeat a source and `heartbeat_s` ─────┘

Rule 1. A subject is in one lane, whoever it is: so a contribution travels by its subject's key, in the transaction of
        the signal that it came from.
Rule 2. Nothing travels that no rule could take: without rules about others than entities there are no rollups.
Rule 3. A contribution is compact: the text stays behind where there is a title.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from riskstream.core.contracts import MARKET, SCHEMA, Signal
from riskstream.core.reading.families import Families
from riskstream.core.rules.rule import RuleSet

SNIPPET_MAX = 160


class Rollup(msgspec.Struct, frozen=True, omit_defaults=True):
    """One contribution to a subject. Without a signal it is a heartbeat: this source was heard at `heard_at`."""

    by: str
    id: str
    name: str = ""
    signal: Signal | None = None
    heard_at: str = ""
    kind: str = ""
    lang: str = ""
    schema: int = SCHEMA

    @property
    def key(self) -> str:
        """The subject's key: of the record, and in the lane that reads it."""
        return f"{self.by}:{self.id}"


class Router:
    """Which subjects a signal contributes to, as far as a rule is about them."""

    def __init__(self, rules: RuleSet, families: Families) -> None:
        self._families = families
        self.kinds = frozenset(rule.condition.by for rule in rules.rules) - {"entity"}
        self._groups: dict[str, frozenset[str] | None] = {}
        for by in ("group", "portfolio"):
            asked = [rule.condition.match.groups for rule in rules.rules if rule.condition.by == by]
            every = any(not groups for groups in asked)
            self._groups[by] = None if every else frozenset(group for groups in asked for group in groups)

    def rollups(self, signal: Signal) -> tuple[Rollup, ...]:
        """The contributions of a signal."""
        if not self.kinds:
            return ()
        compact = msgspec.structs.replace(signal, snippet="" if signal.title else signal.snippet[:SNIPPET_MAX])
        return tuple(
            Rollup(by, subject_id, name, compact)
            for by, subject_id, name in self._subjects(signal)
            if by in self.kinds and self._asked(by, subject_id)
        )

    def _subjects(self, signal: Signal) -> Iterator[tuple[str, str, str]]:
        for group in self._families.groups_of(signal.entity.id):
            name = self._families.name_of(group)
            yield "group", group, name
            yield "portfolio", group, name
        yield "source", signal.source, signal.source
        yield "market", MARKET, "the market"

    def _asked(self, by: str, subject_id: str) -> bool:
        groups = self._groups.get(by)
        return groups is None or subject_id in groups
