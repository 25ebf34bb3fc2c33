"""What an alert shows a person: the signals behind it, best first, and one paragraph made of numbers and titles.

Rule 1. Nothing is invented: the summary holds only counts, values, names and a title that stand in the record.
Rule 2. Evidence is one signal a story, at most five; its text is the signal's snippet, at most 500 code points.
"""

from __future__ import annotations

from collections.abc import Sequence

from riskstream.core.phrases import plural, sentence
from riskstream.core.records import Evidence, Severity
from riskstream.core.windows import Event

EVIDENCE_MAX = 5
TEXT_MAX = 500
_TITLE_MAX = 160


def evidence_of(events: Sequence[Event]) -> tuple[Evidence, ...]:
    """The published evidence of events that are already chosen and in order."""
    return tuple(
        Evidence(
            signal_id=signal.signal_id,
            title=signal.title,
            text=signal.snippet[:TEXT_MAX],
            source=signal.source,
            url=signal.url,
            published_at=signal.published_at,
            risk_score=signal.risk_score,
            spans=tuple(span for span in signal.spans if span[1] <= TEXT_MAX),
        )
        for signal in (event.signal for event in events[:EVIDENCE_MAX])
    )


def summary(
    name: str,
    standing: Severity | str,
    what: str,
    *,
    limit: float,
    counts: tuple[int, int, int],
    best: Evidence | None,
) -> str:
    """One paragraph. `standing` is the severity, or how the alert ended; `what` is the value in words; `counts` are
    documents, stories, sources."""
    documents, stories, sources = counts
    told = f"{plural(documents, 'document')}, {plural(stories, 'story', 'stories')}, {plural(sources, 'source')}"
    text = (
        f"{name}: {standing}. {sentence(what)} (limit {limit:g}); "
        f"{told if documents else 'nothing left in the window'}."
    )
    if best is None:
        return text
    title = " ".join((best.title or best.text).split())
    cut = title if len(title) <= _TITLE_MAX else title[: _TITLE_MAX - 1] + "…"
    return f"{text} Most telling: “{cut}” ({best.source})."
