"""The parts of the page that are only there if they were asked for: stories, another rule set, prices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from riskstream.core.clock import format_ms
from riskstream.report.compare import Comparison
from riskstream.report.episodes import Episode
from riskstream.report.markup import table
from riskstream.report.prices import NEAR_DAYS, Fall, Lead
from riskstream.report.stories import Judged, Story


def stories(judged: Judged, told: Sequence[Story]) -> str:
    """What each story asked for, and when it was told."""
    titles = {story.story: story.title for story in told}
    rows = []
    for verdict in judged.verdicts:
        standing = '<b class="good">in time</b>' if verdict.in_time else '<b class="bad">not in time</b>'
        when = "never" if verdict.told_ms is None else format_ms(verdict.told_ms)[:16].replace("T", " ")
        due = f"{format_ms(verdict.due_ms)[:16].replace('T', ' ')} ({escape(verdict.item)})"
        title = escape(f"{verdict.story}: {titles.get(verdict.story, '')}")
        rows.append((title, verdict.severity, due, when, standing))
    strays = f"{len(judged.strays)} alerts belong to no story"
    names = "; ".join(f"{e.last.subject.name} ({e.last.rule}, {format_ms(e.opened_ms)[:16]})" for e in judged.strays)
    closing = f"<p>{strays}{': ' + escape(names) if names else ''}.</p>"
    return "<h2>Stories</h2>" + table(("story", "severity", "due by", "told", ""), rows) + closing


def compared(comparison: Comparison) -> str:
    """What other rules, or another model, change."""
    parts = ["<h2>Compared</h2>", f"<p>{escape(comparison.line())}.</p>"]
    lists: Iterable[tuple[str, Sequence[Episode]]] = (("Gained", comparison.gained), ("Lost", comparison.lost))
    for name, mine in lists:
        if mine:
            opened = [(_when(e), escape(e.last.subject.name), escape(e.last.rule), e.highest) for e in mine]
            parts += [f"<h3>{name}</h3>", table(("opens", "subject", "rule", "highest severity"), opened)]
    changed = (*comparison.earlier, *comparison.later, *comparison.other_severity)
    moved = sorted({pair.new.last.alert_id: pair for pair in changed}.values(), key=lambda pair: pair.new.opened_ms)
    if moved:
        rows = [
            (
                escape(pair.new.last.subject.name),
                escape(pair.new.last.rule),
                f"{_when(pair.old)} {pair.old.highest}",
                f"{_when(pair.new)} {pair.new.highest}",
            )
            for pair in moved
        ]
        parts += ["<h3>Changed</h3>", table(("subject", "rule", "before", "now"), rows)]
    return "".join(parts)


def leads(found: Sequence[Lead]) -> str:
    """The largest falls of each ticker, and the alert nearest to each."""
    parts = [
        "<h2>Alerts and prices</h2>",
        f'<p class="soft">The largest daily falls, and the first alert within {NEAR_DAYS} days of each. Hours are '
        "from the alert to that day’s close. Daily prices do not say when in the day a price fell. The base rate is "
        "the share of all days with an alert before or during them: alerts that come at random reach it too.</p>",
    ]
    for lead in found:
        rate = f"{lead.days_told} of {lead.days} days"
        parts.append(f"<h3>{escape(lead.ticker)}</h3><p class='soft'>base rate {rate}</p>")
        parts.append(table(("day", "change %", "alert", "hours"), [_fall(fall) for fall in lead.falls]))
    return "".join(parts)


def _fall(fall: Fall) -> tuple[object, ...]:
    return (fall.day.date, fall.day.change, fall.when, "" if fall.hours is None else fall.hours)


def _when(episode: Episode) -> str:
    return format_ms(episode.opened_ms)[:16].replace("T", " ")
