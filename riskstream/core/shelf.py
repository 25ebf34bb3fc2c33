"""The subjects of one lane: who is remembered, which rules may speak of each, whose last signal is longest ago.

    front: touched longest ago ─ subject ─ subject ─ subject ─ back: touched last
      └─ first to leave, unless something of it is pending or open: then it goes to the back

Rule 1. A subject is touched by every signal of its own that changed what is remembered; by time alone, never.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from riskstream.core.panel import Panel
from riskstream.core.records import SubjectRef, Watched
from riskstream.core.state import Journal
from riskstream.core.subjects import Subject
from riskstream.core.takers import Takers

BY = "entity"
KINDS_MAX = 4_096
"""Sets of rules that are kept ready, one for each combination of groups: a watchlist has far fewer."""


class Shelf:
    """The subjects by id."""

    def __init__(self, takers: Takers, watchlist: Mapping[str, Watched], journal: Journal | None) -> None:
        self.takers, self.watchlist, self._journal = takers, watchlist, journal
        self._subjects: dict[str, Subject] = {}
        self.refresh()

    def __len__(self) -> int:
        return len(self._subjects)

    def __iter__(self) -> Iterator[Subject]:
        """The subject that was touched longest ago first."""
        return iter(self._subjects.values())

    def refresh(self, watchlist: Mapping[str, Watched] | None = None) -> None:
        """The rules are others now, or the watchlist; the subjects that are here keep theirs until they adopt."""
        if watchlist is not None:
            self.watchlist = watchlist
        rules = self.takers.rules
        self.horizon_ms = rules.horizon_ms
        self._named = frozenset(name for rule in rules.rules for name in rule.condition.match.entities)
        self._kinds: dict[tuple[tuple[str, ...], str], Panel] = {}

    def get(self, subject_id: str) -> Subject | None:
        """The subject, if anything is remembered of it."""
        return self._subjects.get(subject_id)

    def add(self, subject_id: str, name: str) -> Subject:
        """A new subject at the back. `name` is for one that the watchlist does not know."""
        watched = self.watchlist.get(subject_id)
        ref = SubjectRef(BY, subject_id, watched.name if watched else name)
        subject = self._subjects[subject_id] = Subject(ref, self.panel_of(subject_id), self._journal)
        return subject

    def touch(self, subject: Subject) -> None:
        """It goes to the back."""
        self._subjects[subject.ref.id] = self._subjects.pop(subject.ref.id)

    def remove(self, subject: Subject) -> None:
        """Nothing is remembered of it any more, here and in the state."""
        subject.leave()
        del self._subjects[subject.ref.id]

    def panel_of(self, subject_id: str) -> Panel:
        """The rules that may ever take a signal of this subject."""
        watched = self.watchlist.get(subject_id)
        groups = watched.groups if watched else ()
        kind = (groups, subject_id if subject_id in self._named else "")
        panel = self._kinds.get(kind)
        if panel is None:
            if len(self._kinds) >= KINDS_MAX:
                self._kinds.clear()
            panel = self._kinds[kind] = Panel(self.takers.of(BY, subject_id, groups))
        return panel
