"""What an alert shows a person: the signals behind it, best first, and one paragraph made of numbers and titles.

Rule 1. Nothing is invented: the summary holds only counts, values, names and a title that stand in the record.
Rule 2. Evidence is one signal a story, at most five; its text is the signal's snippet, at most 500 code points.
"""

from __future__ import annotations

from collections.abc import Sequence

from riskstream.core.records import Evidence, Severity
from riskstream.core.windows import Event, Measure

EVIDENCE_MAX = 5
TEXT_MAX = 500
_TITLE_MAX = 160

_AGGREGATES = {
    "max": "highest {field}",
    "mean": "mean {field}",
    "sum": "sum of {field}",
    "count": "signals with {field}",
    "decayed_mean": "decayed mean of {field}",
}


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
        )
        for signal in (event.signal for event in events[:EVIDENCE_MAX])
    )


def summary(
    name: str,
    standing: Severity | str,
    measure: Measure,
    *,
    value: float,
    limit: float,
    counts: tuple[int, int, int],
    best: Evidence | None,
) -> str:
    """One paragraph. `standing` is the severity, or how the alert ended; `counts` are documents, stories, sources."""
    what = _AGGREGATES[measure.aggregate].format(field=measure.field)
    documents, stories, sources = counts
    told = f"{plural(documents, 'document')}, {plural(stories, 'story', 'stories')}, {plural(sources, 'source')}"
    text = (
        f"{name}: {standing}. {what.capitalize()} {value:g} over {span(measure.window_ms)} (limit {limit:g}); "
        f"{told if documents else 'nothing left in the window'}."
    )
    if best is None:
        return text
    title = " ".join((best.title or best.text).split())
    cut = title if len(title) <= _TITLE_MAX else title[: _TITLE_MAX - 1] + "…"
    return f"{text} Most telling: “{cut}” ({best.source})."


def span(ms: int) -> str:
    """A duration as people say it: `90 s`, `15 min`, `6 h`, `2 d`."""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min")):
        if ms >= size and ms % size == 0 and (unit != "d" or ms >= 2 * size):
            return f"{ms // size} {unit}"
    return f"{ms / 1000:g} s"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 story`, `3 stories`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
