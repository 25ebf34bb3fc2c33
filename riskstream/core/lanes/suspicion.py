"""What a lane keeps beside its offset, so that a text that ends processes is found.

    opened ──► work begins: tries + 1 is committed first ──► results are committed: tries = 0
                                       │
                                       └── the process dies: the next owner reads tries ≥ 1. Somebody began here and did
                                           not come back, so the work up to `until` is suspect

Rule 1. A try is written before the work, by an empty transaction: a process that dies has no last word.
Rule 2. A try of this same process does not count: it lost its producer, and lives.
Rule 3. Suspicion convicts nobody. It says which records are tried alone, where a death hurts no one else.
Rule 4. The note stands before whatever else is kept beside the offset, and that passes through untouched.
"""

from __future__ import annotations

import re

import msgspec

_NOTE = re.compile(r"tries=(\d{1,9}) until=(\d{1,18}) by=([0-9a-f]{0,16})\|")


class Note(msgspec.Struct, frozen=True):
    """How often work was begun at this offset by processes that did not get past it; the records below `until` are
    suspect; `by` began last."""

    tries: int = 0
    until: int = 0
    by: str = ""

    def begun(self, by: str) -> Note:
        """Work begins here, by this process."""
        return Note(self.tries if by == self.by else self.tries + 1, self.until, by)

    def suspects(self, offset: int, by: str, span: int) -> Note:
        """The note of the next owner, who goes on at `offset`; up to `span` records were in flight at the death."""
        others = self.tries - (by == self.by)
        return Note(self.tries, max(self.until, offset + span if others > 0 else 0), self.by)

    def passed(self, next_offset: int) -> Note:
        """Results up to here are committed: nothing is left of the tries, and of the suspects those that are left."""
        return Note(0, self.until if next_offset < self.until else 0)


def read(metadata: str) -> tuple[Note, str]:
    """The note and the rest of what was kept."""
    if found := _NOTE.match(metadata):
        tries, until, by = found.groups()
        return Note(int(tries), int(until), by), metadata[found.end() :]
    return Note(), metadata


def write(note: Note, rest: str) -> str:
    """Both as one text; a note that says nothing takes no room."""
    if not note.tries and not note.until:
        return rest
    return f"tries={note.tries} until={note.until} by={note.by}|{rest}"
