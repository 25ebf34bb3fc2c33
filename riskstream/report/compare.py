"""Two replays of the same texts, by other rules or another model: alerts gained, lost, earlier, later.

Episodes of one rule and subject are the same episode if their times overlap; of several that do, the nearest opening
is taken, each once. A rule that the other lacks has nothing to be compared with: its episodes are gained or lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from riskstream.report.episodes import Episode

_NEVER_MS = 2**62


class Moved(msgspec.Struct, frozen=True):
    """An episode of both. `by_ms` below 0: the new one opens earlier."""

    old: Episode
    new: Episode

    @property
    def by_ms(self) -> int:
        """How much later the new one opens."""
        return self.new.opened_ms - self.old.opened_ms


class Comparison(msgspec.Struct, frozen=True):
    """What changes from the old to the new."""

    gained: tuple[Episode, ...]
    lost: tuple[Episode, ...]
    earlier: tuple[Moved, ...]
    later: tuple[Moved, ...]
    other_severity: tuple[Moved, ...]
    same: int

    def line(self) -> str:
        """One line for a person."""
        return (
            f"{len(self.gained)} gained, {len(self.lost)} lost, {len(self.earlier)} earlier, {len(self.later)} later, "
            f"{len(self.other_severity)} with another highest severity, {self.same} the same"
        )


def compare(old: Sequence[Episode], new: Sequence[Episode]) -> Comparison:
    """The episodes of two replays, matched. The order of the results is by opening."""
    candidates: dict[tuple[str, str, str], list[Episode]] = defaultdict(list)
    for episode in new:
        candidates[_key(episode)].append(episode)
    moved: list[Moved] = []
    lost: list[Episode] = []
    for episode in old:
        mine = candidates[_key(episode)]
        near = [other for other in mine if _overlap(episode, other)]
        if not near:
            lost.append(episode)
            continue
        nearest = min(near, key=lambda other: abs(other.opened_ms - episode.opened_ms))
        mine.remove(nearest)
        moved.append(Moved(episode, nearest))
    gained = sorted((e for rest in candidates.values() for e in rest), key=lambda e: (e.opened_ms, e.last.alert_id))
    earlier = tuple(pair for pair in moved if pair.by_ms < 0)
    later = tuple(pair for pair in moved if pair.by_ms > 0)
    other = tuple(pair for pair in moved if pair.old.highest != pair.new.highest)
    same = sum(pair.by_ms == 0 and pair.old.highest == pair.new.highest for pair in moved)
    return Comparison(tuple(gained), tuple(lost), earlier, later, other, same)


def _key(episode: Episode) -> tuple[str, str, str]:
    alert = episode.last
    return (alert.rule, alert.subject.by, alert.subject.id)


def _overlap(one: Episode, other: Episode) -> bool:
    ends = [_NEVER_MS if episode.closed_ms is None else episode.closed_ms for episode in (one, other)]
    return one.opened_ms <= ends[1] and other.opened_ms <= ends[0]
