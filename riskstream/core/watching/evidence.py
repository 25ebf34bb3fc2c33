"""What an alert shows a person: the signals behind it, best first, and one paragraph made of numbers and titles.

Rule 1. Nothing is invented: the summary holds only counts, values, names, times and a title that stand in the record.
Rule 2. Evidence is one signal a story, at most five; its text is the signal's snippet, at most 500 code points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from riskstream.core.clock import format_ms
from riskstream.core.measure import UNIT
from riskstream.core.phrases import plural, sentence
from riskstream.core.reading.telling import is_handle
from riskstream.core.records import Confirmation, Evidence
from riskstream.core.rules.event import Event

EVIDENCE_MAX = 5
TEXT_MAX = 500
_TITLE_MAX = 160
HOUR_MS = 3_600_000


def evidence_of(events: Sequence[Event]) -> tuple[Evidence, ...]:
    """The published evidence of events that are already chosen and in order."""
    return tuple(_evidence(event) for event in events[:EVIDENCE_MAX])


def _evidence(event: Event) -> Evidence:
    signal, placed = event.signal, event.placed
    return Evidence(
        signal_id=signal.signal_id,
        title=signal.title,
        text=signal.snippet[:TEXT_MAX],
        source=signal.source,
        url=signal.url,
        published_at=signal.published_at,
        risk_score=signal.risk_score,
        spans=tuple(span for span in signal.spans if span[1] <= TEXT_MAX),
        value=event.amount / UNIT,
        kind=signal.kind,
        stance=signal.stance,
        voice=placed.voice,
        story=placed.story,
        story_since=format_ms(placed.since_ms),
        copies=placed.copies,
        carriers=placed.sources,
        received_at=signal.received_at,
        scored_at=signal.scored_at,
    )


class Said(NamedTuple):
    """What a summary is made of. `standing` is the severity, or how the alert ended; `what` is the value in words;
    `counts` are documents, stories, sources."""

    name: str
    standing: str
    what: str
    limit: float
    counts: tuple[int, int, int]
    confirmation: Confirmation
    since_ms: int
    now_ms: int
    best: Evidence | None


_BEHIND: dict[Confirmation, str] = {
    "unconfirmed": "Unconfirmed: talk and claims alone",
    "reported": "Reported as a fact",
    "official": "Confirmed by a filing",
}


def summary(said: Said, why: str) -> str:
    """One paragraph: how things stand, what was measured, who tells it since when, what stands behind it, what made the
    record, and the most telling text if that is another one."""
    documents, stories, sources = said.counts
    told = f"{plural(documents, 'document')}, {plural(stories, 'story', 'stories')}, {plural(sources, 'source')}"
    if said.now_ms - said.since_ms >= HOUR_MS:
        told += f" since {format_ms(said.since_ms)[:16]}Z"
    parts = [
        f"{said.name}: {said.standing}.",
        f"{sentence(said.what)} (limit {said.limit:g}); {told if documents else 'nothing left in the window'}.",
    ]
    if documents:
        parts.append(f"{_BEHIND[said.confirmation]}.")
    parts.append(f"{sentence(why)}.")
    best = said.best and quoted(said.best.title, said.best.text, said.best.source)
    if best and best not in why:
        parts.append(f"Most telling: {best}.")
    return " ".join(parts)


def quoted(title: str, text: str, source: str) -> str:
    """The title, or the text of a post that has none but its author's name, cut; and who published it."""
    line = " ".join((title if title and not is_handle(title) else text).split())
    cut = line if len(line) <= _TITLE_MAX else line[: _TITLE_MAX - 1] + "…"
    return f"“{cut}” ({source})"
