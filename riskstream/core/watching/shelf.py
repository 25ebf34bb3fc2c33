"""The subjects of one lane: who is remembered, which rules may speak of each, whose last signal is longest ago.

    front: touched longest ago ─ subject ─ subject ─ subject ─ back: touched last
      └─ first to leave, unless something of it is pending or open: then it goes to the back

Rule 1. A subject is touched by every signal of its own that changed what is remembered; by time alone, never.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from riskstream.core.reading.families import Families
from riskstream.core.records import SubjectRef, Watched
from riskstream.core.watching.panel import Panel
from riskstream.core.watching.state import Journal
from riskstream.core.watching.subjects import Subject
from riskstream.core.watching.takers import Takers

BY = "entity"
KINDS_MAX = 4_096
"""Sets of rules that are kept ready, one for each combination of groups: a watchlist has far fewer."""


class Shelf:
    """The subjects by id; those of a lane of `rollups` are called `by:id`."""

    def __init__(
        self, takers: Takers, watchlist: Mapping[str, Watched], journal: Journal | None, *, rollups: bool = False
    ) -> None:
        self.takers, self.watchlist, self._journal = takers, watchlist, journal
        self._rollups = rollups
        self._subjects: dict[str, Subject] = {}
        self.refresh(watchlist)

    def __len__(self) -> int:
        return len(self._subjects)

    def __iter__(self) -> Iterator[Subject]:
        """The subject that was touched longest ago first."""
        return iter(self._subjects.values())

    def refresh(self, watchlist: Mapping[str, Watched] | None = None) -> None:
        """The rules are others now, or the watchlist; the subjects that are here keep theirs until they adopt."""
        if watchlist is not None:
            self.watchlist = watchlist
            self.takers.limit_to(Families(watchlist))
        rules = self.takers.rules
        self.horizon_ms = rules.horizon_ms
        self._named = frozenset(name for rule in rules.rules for name in rule.condition.match.entities)
        self._kinds: dict[tuple[tuple[str, ...], str], Panel] = {}

    def get(self, subject_id: str) -> Subject | None:
        """The subject, if anything is remembered of it."""
        return self._subjects.get(subject_id)

    def add(self, subject_id: str, name: str) -> Subject:
        """A new subject at the back. `name` is for one that the watchlist does not know."""
        subject = Subject(self._ref(subject_id, name), self.panel_of(subject_id), self._journal)
        self._subjects[subject_id] = subject
        return subject

    def gone(self, ref: SubjectRef) -> bool:
        """Nobody watches the subject any more: it left the watchlist, or nobody is in the group."""
        if ref.by == BY:
            return ref.id not in self.watchlist
        return ref.by in ("group", "portfolio") and not self.takers.families.has(ref.id)

    def touch(self, subject: Subject) -> None:
        """It goes to the back."""
        self._subjects[subject.ref.key] = self._subjects.pop(subject.ref.key)

    def remove(self, subject: Subject) -> None:
        """Nothing is remembered of it any more, here and in the state."""
        subject.leave()
        del self._subjects[subject.ref.key]

    def panel_of(self, subject_id: str) -> Panel:
        """The rules that may ever take a signal of this subject."""
        ref = self._ref(subject_id, "")
        groups = self.takers.families.groups_of(ref.id) if ref.by == BY else (ref.id,)
        kind = (groups, subject_id if self._rollups or subject_id in self._named else "")
        panel = self._kinds.get(kind)
        if panel is None:
            if len(self._kinds) >= KINDS_MAX:
                self._kinds.clear()
            panel = self._kinds[kind] = Panel(self.takers.of(ref.by, ref.id, groups))
        return panel

    def _ref(self, subject_id: str, name: str) -> SubjectRef:
        """Whom an id means in this lane: an entity, or, written `by:id`, another subject."""
        if not self._rollups:
            watched = self.watchlist.get(subject_id)
            return SubjectRef(BY, subject_id, watched.name if watched else name)
        by, _, other = subject_id.partition(":")
        return SubjectRef(by, other, name or ("the market" if by == "market" else self.takers.families.name_of(other)))
