"""Who belongs to what, from the watchlist: groups, families of a parent and its subsidiaries, portfolios by weight.

Rule 1. Who has children is a group too, under its own id: the parent with all below it.
Rule 2. A portfolio is a group whose members are weighed by their `weight`: the share of each in the sum of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from riskstream.core.records import Watched


class Families:
    """Who belongs to what: the groups of the watchlist, and every parent as a group of its own."""

    def __init__(self, watchlist: Mapping[str, Watched]) -> None:
        self._groups: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}
        self._members: dict[str, dict[str, float]] = {}
        self._shares: dict[str, dict[str, float]] = {}
        parents = {watched.parent for watched in watchlist.values() if watched.parent}
        for watched in watchlist.values():
            line = [watched.id, *_ancestors(watched, watchlist)]
            families = tuple(one for one in line if one in parents)
            self._groups[watched.id] = tuple(dict.fromkeys((*watched.groups, *families)))
            for group in self._groups[watched.id]:
                self._members.setdefault(group, {})[watched.id] = watched.weight
        for parent in parents:
            self._names[parent] = watchlist[parent].name

    def groups_of(self, entity_id: str) -> tuple[str, ...]:
        """The groups of an entity, its own and its ancestors' families among them."""
        return self._groups.get(entity_id, ())

    def name_of(self, group: str) -> str:
        """What a group is called: a family as its parent, any other as it is."""
        return self._names.get(group, group)

    def shares_of(self, group: str) -> dict[str, float]:
        """The members of a portfolio with their share of its exposure; together 1."""
        shares = self._shares.get(group)
        if shares is None:
            members = self._members.get(group, {})
            total = sum(members.values()) or 1.0
            shares = self._shares[group] = {member: weight / total for member, weight in members.items()}
        return shares

    def has(self, group: str) -> bool:
        """Somebody belongs to it."""
        return group in self._members

    def members_of(self, groups: tuple[str, ...]) -> frozenset[str]:
        """Every entity in any of these groups."""
        return frozenset(member for group in groups for member in self._members.get(group, {}))


def _ancestors(watched: Watched, watchlist: Mapping[str, Watched]) -> Iterator[str]:
    while watched.parent in watchlist:
        watched = watchlist[watched.parent]
        yield watched.id
