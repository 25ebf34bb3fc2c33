"""One entity's timeline as SVG: scores as dots, alerts as bars below, and the price under them if there is one.

      1 ┤        · ·●            scores: one dot a signal, larger from 0.5
      0 ┤ ·  ·  ··  · ·
    rule ──  ████▓▓▓▓──────      one row a rule; the colour is the severity, an open end fades out
    price ╲__╱‾‾╲__

Widths are in units of a fixed view box; the page scales it. Colours are classes, so that one page fits light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import msgspec

from riskstream.core.clock import format_ms
from riskstream.report.episodes import Episode
from riskstream.report.gather import Dot
from riskstream.report.prices import Day

WIDTH, LEFT, RIGHT = 1000, 150, 12
SCORES, ROW, PRICE, AXIS = 90, 18, 56, 20
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
_STEPS_MS = (HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS, *(days * DAY_MS for days in (1, 2, 7, 14, 28, 91, 364)))
_MARKS_MAX = 9


class Span(msgspec.Struct, frozen=True):
    """The time that a chart shows, in ms."""

    first_ms: int
    last_ms: int

    def x(self, at_ms: int) -> float:
        """Where a moment lies in the view box; moments outside lie on its edge."""
        share = (at_ms - self.first_ms) / max(1, self.last_ms - self.first_ms)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, share)), 1)


def timeline(name: str, span: Span, dots: Sequence[Dot], episodes: Sequence[Episode], days: Sequence[Day] = ()) -> str:
    """The chart of one entity. `dots` in any order; `days` are its prices, if they are known."""
    rules = sorted({episode.last.rule for episode in episodes})
    height = SCORES + ROW * len(rules) + (PRICE if days else 0) + AXIS
    label = f"{name}: {len(dots)} signals, {len(episodes)} alerts"
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">', *_axis(span, height)]
    parts += _scores(span, dots)
    for row, rule in enumerate(rules):
        top = SCORES + ROW * row
        parts.append(f'<text class="name" x="{LEFT - 8}" y="{top + 12}">{escape(rule)}</text>')
        for episode in episodes:
            if episode.last.rule == rule:
                parts += _bar(span, episode, top)
    if days:
        parts += _price(span, days, SCORES + ROW * len(rules))
    return "".join((*parts, "</svg>"))


def _axis(span: Span, height: int) -> list[str]:
    step = next((s for s in _STEPS_MS if (span.last_ms - span.first_ms) / s <= _MARKS_MAX), _STEPS_MS[-1])
    parts = []
    for at_ms in range(-(-span.first_ms // step) * step, span.last_ms + 1, step):
        x, text = span.x(at_ms), format_ms(at_ms)
        shown = text[5:10] if step >= DAY_MS else f"{text[8:10]} {text[11:16]}"
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="4" y2="{height - AXIS}"/>')
        parts.append(f'<text class="mark" x="{x}" y="{height - 5}">{shown}</text>')
    return parts


def _scores(span: Span, dots: Sequence[Dot]) -> list[str]:
    parts = [f'<text class="name" x="{LEFT - 8}" y="16">risk score 1</text>']
    parts.append(f'<text class="name" x="{LEFT - 8}" y="{SCORES - 8}">0</text>')
    for dot in sorted(dots, key=lambda dot: (dot.at_ms, dot.signal_id)):
        y = round(10 + (SCORES - 22) * (1 - dot.risk_score), 1)
        radius, kind = (3.4, "dot hot") if dot.risk_score >= 0.5 else (2.2, "dot")
        told = escape(f"{format_ms(dot.at_ms)[:16]}  {dot.risk_score:.2f}  {dot.source}: {dot.title}")
        parts.append(
            f'<circle class="{kind}" cx="{span.x(dot.at_ms)}" cy="{y}" r="{radius}"><title>{told}</title></circle>'
        )
    return parts


def _bar(span: Span, episode: Episode, top: int) -> list[str]:
    end_ms = span.last_ms if episode.closed_ms is None else episode.closed_ms
    ends = [step.at_ms for step in episode.steps[1:]] + [end_ms]
    parts = []
    for step, until_ms in zip(episode.steps, ends, strict=True):
        x, to = span.x(step.at_ms), span.x(until_ms)
        told = escape(f"{step.severity} from {format_ms(step.at_ms)[:16]} to {format_ms(until_ms)[:16]}")
        place = f'x="{x}" y="{top + 3}" width="{max(2.0, round(to - x, 1))}" height="{ROW - 6}"'
        parts.append(f'<rect class="bar {step.severity}" {place}><title>{told}</title></rect>')
    if episode.closed_ms is None:
        parts.append(f'<text class="open" x="{span.x(end_ms) - 2}" y="{top + 13}">open</text>')
    return parts


def _price(span: Span, days: Sequence[Day], top: int) -> list[str]:
    shown = [day for day in days if span.first_ms - 4 * DAY_MS <= day.close_ms <= span.last_ms + 4 * DAY_MS]
    if not shown:
        return []
    low, high = min(day.price for day in shown), max(day.price for day in shown)
    room = (high - low) or 1.0
    points = " ".join(
        f"{span.x(day.close_ms)},{round(top + PRICE - 8 - (PRICE - 16) * (day.price - low) / room, 1)}" for day in shown
    )
    return [
        f'<text class="name" x="{LEFT - 8}" y="{top + 14}">close {high:g}</text>',
        f'<text class="name" x="{LEFT - 8}" y="{top + PRICE - 6}">{low:g}</text>',
        f'<polyline class="price" points="{points}"/>',
    ]
