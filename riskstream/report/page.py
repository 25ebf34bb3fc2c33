"""The report of a replay: one HTML page that needs nothing but itself, in light and dark.

    Gathered (signals) ┐
    Episodes (alerts)  ├─► Report ─► figures, timelines, alerts with evidence, counts, what was held back ─► HTML
    stories, prices,   │
    another rule set   ┘

Rule 1. The same report gives the same bytes: no clock, no random ids.
Rule 2. No address is loaded; the one script filters the alerts and the page is whole without it.
Rule 3. At most `ENTITIES_SHOWN` timelines: those with alerts first, then by their highest scores; the rest is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

import msgspec

from riskstream.core.clock import format_ms
from riskstream.core.contracts import SEVERITIES
from riskstream.core.rules.held import HeldReason
from riskstream.report.chart import Span, timeline
from riskstream.report.compare import Comparison
from riskstream.report.episodes import Episode
from riskstream.report.gather import Gathered
from riskstream.report.markup import SEPARATOR, quote, table
from riskstream.report.prices import Day, Lead
from riskstream.report.sections import compared, leads, stories
from riskstream.report.stories import Judged, Story

ENTITIES_SHOWN = 40
DAYS_SHOWN = 62
_FILTER = """
const box = document.querySelector("#find"), rows = [...document.querySelectorAll("details")];
box.addEventListener("input", () => {
  const wanted = box.value.toLowerCase();
  for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
});
"""


class Report(msgspec.Struct, frozen=True):
    """All that a page shows. `held`: (rule, reason) → how often a rule was not allowed to speak."""

    title: str
    gathered: Gathered
    episodes: tuple[Episode, ...]
    held: Mapping[tuple[str, HeldReason], int] = {}
    stories: tuple[Story, ...] = ()
    judged: Judged | None = None
    prices: Mapping[str, tuple[Day, ...]] = {}
    leads: tuple[Lead, ...] = ()
    compared: Comparison | None = None


def page(report: Report) -> str:
    """The whole page."""
    style = files("riskstream.report").joinpath("page.css").read_text()
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">',
        f"<title>{escape(report.title)}</title><style>{style}</style></head><body>",
        f"<h1>{escape(report.title)}</h1>",
        _figures(report),
    ]
    if report.judged is not None:
        parts.append(stories(report.judged, report.stories))
    if report.compared is not None:
        parts.append(compared(report.compared))
    parts += [_timelines(report), _alerts(report.episodes), _days(report.episodes)]
    if report.held:
        rows = [(escape(rule), escape(reason), n) for (rule, reason), n in sorted(report.held.items())]
        parts += ["<h2>Held back</h2>", table(("rule", "why", "times"), rows, numbers=1)]
    if report.prices:
        parts.append(leads(report.leads))
    parts.append(f"<script>{_FILTER}</script></body></html>\n")
    return "\n".join(parts)


def _figures(report: Report) -> str:
    gathered, opened = report.gathered, Counter(episode.highest for episode in report.episodes)
    figures: list[tuple[object, str]] = [
        (gathered.signals, "signals"),
        (len(gathered.dots), "entities"),
        (len(report.episodes), "alerts"),
        *((opened[severity], f"reached {severity}") for severity in SEVERITIES),
        (sum(episode.closed_ms is None for episode in report.episodes), "still open"),
    ]
    first = format_ms(gathered.first_ms)[:16] if gathered.first_ms is not None else "no time"
    told = f"{first} to {format_ms(gathered.last_ms)[:16]}".replace("T", " ") + " UTC"
    if gathered.left_out:
        told += f"{SEPARATOR}{gathered.left_out:,} signals of low score are counted and not drawn"
    items = "".join(f"<li><b>{number:,}</b>{escape(what)}</li>" for number, what in figures)
    return f'<p class="soft">{told}</p><ul class="figures">{items}</ul>'


def _timelines(report: Report) -> str:
    gathered = report.gathered
    by_subject: dict[str, list[Episode]] = {}
    for episode in report.episodes:
        by_subject.setdefault(episode.last.subject.id, []).append(episode)
    names = gathered.names | {key: mine[0].last.subject.name for key, mine in by_subject.items()}
    tops = {key: max((dot.risk_score for dot in gathered.dots.get(key, ())), default=0.0) for key in names}
    ranked = sorted(names, key=lambda key: (-len(by_subject.get(key, ())), -tops[key], key))
    shown = ranked[:ENTITIES_SHOWN]
    span = Span(gathered.first_ms or 0, gathered.last_ms)
    parts = ["<h2>Timelines</h2>"]
    for key in shown:
        chart = timeline(
            names[key], span, gathered.dots.get(key, ()), by_subject.get(key, ()), report.prices.get(key, ())
        )  # fmt: skip
        parts.append(f"<h3>{escape(names[key])}</h3>{chart}")
    if len(ranked) > len(shown):
        parts.append(
            f'<p class="soft">{len(ranked) - len(shown):,} more entities, without alerts or of lower score</p>'
        )
    return "".join(parts)


def _alerts(episodes: Sequence[Episode]) -> str:
    parts = ["<h2>Alerts</h2>"]
    if not episodes:
        return "".join((*parts, "<p>None.</p>"))
    label = '<label for="find">Filter by any word: </label>'
    parts.append(f'<p class="filter">{label}<input id="find" type="search" autocomplete="off"></p>')
    return "".join((*parts, *(_alert(episode) for episode in episodes)))


def _alert(episode: Episode) -> str:
    last, peak = episode.last, episode.highest
    end = "open" if episode.closed_ms is None else f"{format_ms(episode.closed_ms)[:16]} ({last.reason})"
    times = f"{format_ms(episode.opened_ms)[:16]} to {end}".replace("T", " ")
    head = f'<span class="tag {peak}">{peak}</span> <b>{escape(last.subject.name)}</b> {escape(last.rule)}'
    rows = [
        (
            record.updated_at[:19].replace("T", " "),
            record.state,
            record.reason.replace("_", " "),
            f'<span class="tag {record.severity}">{record.severity}</span>',
            record.value,
            record.limit,
            record.documents,
            record.stories,
            record.sources,
        )
        for record in episode.records
    ]
    heads = ("decided", "state", "why", "severity", "value", "limit", "documents", "stories", "sources")
    shown = "".join(quote(piece) for piece in last.evidence)
    body = f"<p>{escape(last.summary)}</p>{shown}{table(heads, rows, numbers=5)}"
    summary = f'<summary>{head} <span class="soft">{times}</span></summary>'
    return f'<details class="{peak}">{summary}<div>{body}</div></details>'


def _days(episodes: Sequence[Episode]) -> str:
    counts = Counter((format_ms(episode.opened_ms)[:10], episode.last.rule) for episode in episodes)
    if not counts:
        return ""
    rules = sorted({rule for _, rule in counts})
    days = sorted({day for day, _ in counts})
    rows: list[list[object]] = [[day, *(counts[day, rule] for rule in rules)] for day in days[-DAYS_SHOWN:]]
    rows.append(["all days", *(sum(counts[day, rule] for day in days) for rule in rules)])
    return "<h2>Alerts opened, by day</h2>" + table(("day", *map(escape, rules)), rows, numbers=len(rules))
