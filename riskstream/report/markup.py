"""Pieces of the page: text escaped once, here. What comes from a feed is text and never markup.

A link is only made of an http or https address; anything else stays text, since a feed may say `javascript:`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from riskstream.core.contracts import Evidence

SEPARATOR = " · "


def cell(value: object) -> str:
    """A table cell; numbers stand right."""
    number = isinstance(value, int | float)
    return f'<td class="n">{value:,}</td>' if number else f"<td>{value}</td>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: int = 0) -> str:
    """A table; the last `numbers` columns hold numbers. Texts in rows are markup: escape what is not ours."""
    first = len(head) - numbers
    heads = "".join(f'<th class="n">{text}</th>' if at >= first else f"<th>{text}</th>" for at, text in enumerate(head))
    body = "".join(f"<tr>{''.join(cell(value) for value in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def link(url: str, text: str) -> str:
    """A link that opens nothing but the web, or the text alone."""
    if not url.lower().startswith(("http://", "https://")):
        return escape(text)
    return f'<a href="{escape(url)}" rel="noopener noreferrer">{escape(text)}</a>'


def marked(text: str, spans: Sequence[tuple[int, int, float]]) -> str:
    """A text with the words that raised its score marked. Spans that overlap or lie outside mark what is left."""
    parts, at = [], 0
    for begin, end, weight in sorted(spans):
        start = max(begin, at)
        if weight <= 0 or start >= min(end, len(text)):
            continue
        told = f'<mark title="{weight:+.2f}">{escape(text[start:end])}</mark>'
        parts += [escape(text[at:start]), told]
        at = end
    return "".join((*parts, escape(text[at:])))


def quote(piece: Evidence) -> str:
    """One piece of evidence."""
    head = SEPARATOR.join((escape(piece.source), piece.published_at[:16].replace("T", " "), f"{piece.risk_score:.2f}"))
    title = link(piece.url, piece.title) if piece.title else ""
    text = marked(piece.text, piece.spans)
    return f'<blockquote><p class="soft">{head}</p><p><b>{title}</b></p><p>{text}</p></blockquote>'
