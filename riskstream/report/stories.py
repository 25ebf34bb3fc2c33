"""Alerts held against what a desk should have known: a file of stories, each with the item by which it must be told.

    {"stories": [{"story": "a", "title": "…", "entities": [{"name": "…", "aliases": […]}], "items": ["id", …],
                  "other_entities": ["…"], "first_alert": {"id": "…", "severity": 1},
                  "escalations": [{"id": "…", "severity": 2}]}]}

Rule 1. A story is caught if an alert about one of its entities had the severity of `first_alert`, or a higher one, no
        later than that item arrived. A first alert of severity 0 or none asks for nothing.
Rule 2. An episode belongs to a story if its subject is one of the story's entities, the `other_entities` included, and
        any item of the story lies in the evidence of any of its records. All others belong to none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from riskstream.core.contracts import SEVERITIES, Severity
from riskstream.core.errors import OperatorError
from riskstream.report.episodes import Episode


class Due(msgspec.Struct, frozen=True):
    """By this item an alert must have this severity (1 watch, 2 material, 3 severe)."""

    id: str
    severity: int


class Named(msgspec.Struct, frozen=True):
    """An entity as the file names it."""

    name: str
    aliases: tuple[str, ...] = ()


class Story(msgspec.Struct, frozen=True):
    """One story of the file; keys that are not named here are passed over."""

    story: str
    title: str
    entities: tuple[Named, ...]
    items: tuple[str, ...]
    other_entities: tuple[str, ...] = ()
    first_alert: Due | None = None
    escalations: tuple[Due, ...] = ()

    @property
    def due(self) -> tuple[Due, ...]:
        """What must be told by when, the first alert first."""
        first = (self.first_alert,) if self.first_alert and self.first_alert.severity else ()
        return (*first, *self.escalations)


class Verdict(msgspec.Struct, frozen=True):
    """A thing that was due, and when an alert had that severity; `told_ms` None: never."""

    story: str
    item: str
    severity: Severity
    due_ms: int
    told_ms: int | None

    @property
    def in_time(self) -> bool:
        """Told no later than it was due."""
        return self.told_ms is not None and self.told_ms <= self.due_ms


class Judged(msgspec.Struct, frozen=True):
    """All stories against all episodes. `strays` are the episodes that belong to no story."""

    verdicts: tuple[Verdict, ...]
    strays: tuple[Episode, ...]

    @property
    def caught(self) -> int:
        """Stories whose first alert came in time."""
        first: dict[str, Verdict] = {}
        for verdict in self.verdicts:
            first.setdefault(verdict.story, verdict)
        return sum(verdict.in_time for verdict in first.values())


class _File(msgspec.Struct, frozen=True):
    stories: tuple[Story, ...]


def read_stories(text: bytes, origin: str) -> tuple[Story, ...]:
    """The stories of a file. Raises OperatorError naming what is wrong with it."""
    try:
        return msgspec.json.decode(text, type=_File).stories
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        fix = 'give a JSON file {"stories": [{"story", "title", "entities", "items", "first_alert", …}]}'
        raise OperatorError("--stories", origin, f"holds no stories: {error}", fix) from None


def judge(
    stories: Sequence[Story], episodes: Sequence[Episode], items: Mapping[str, int], document_of: Mapping[str, str]
) -> Judged:
    """`items`: document id → arrival in ms; `document_of`: signal id → document id."""
    verdicts = [verdict for story in stories for verdict in _verdicts(story, episodes, items)]
    strays = [episode for episode in episodes if not any(_belongs(episode, story, document_of) for story in stories)]
    return Judged(tuple(verdicts), tuple(strays))


def _verdicts(story: Story, episodes: Sequence[Episode], items: Mapping[str, int]) -> list[Verdict]:
    mine = [episode for episode in episodes if _names(story.entities, episode)]
    found = []
    for due in story.due:
        if due.id not in items:
            continue
        severity = SEVERITIES[due.severity - 1]
        told = [at_ms for episode in mine if (at_ms := episode.reached_ms(severity)) is not None]
        found.append(Verdict(story.story, due.id, severity, items[due.id], min(told, default=None)))
    return found


def _belongs(episode: Episode, story: Story, document_of: Mapping[str, str]) -> bool:
    others = tuple(Named(name) for name in story.other_entities)
    if not _names((*story.entities, *others), episode):
        return False
    shown = {document_of.get(piece.signal_id, "") for record in episode.records for piece in record.evidence}
    return not shown.isdisjoint(story.items)


def _names(entities: Sequence[Named], episode: Episode) -> bool:
    subject = episode.last.subject
    known = {_fold(name) for entity in entities for name in (entity.name, *entity.aliases)}
    return _fold(subject.name) in known or _fold(subject.id) in known


def _fold(name: Any) -> str:
    return str(name).casefold().strip()
