"""What a text shows of itself besides its news: whom it goes back to, how far that is trusted, how it stands to it.

    Document ─► voice    "(Reuters) - …", "RT @x: …", 新华社…电  ─► that name, else the post's author, else the source
             ─► weight   the feed's `source_weights`, else the least of the feed's weight and what its kind deserves
             ─► stance   report | unconfirmed | denial | settled        (`stance.py`)
             ─► sketch   the wording, so that near copies are found     (`sketch.py`)

Rule 1. A voice is whoever told it first as far as the text says: two papers that reprint one agency are one voice, and
        so is everybody who passes one post on.
Rule 2. A name counts as the origin only where copies put it: before a dash or a colon at the very beginning.
Rule 3. A post is its author's, not its platform's: `author`, or a title that is nothing but one `@name`.
Rule 4. Everything here is made of one document: it does not depend on what came before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from riskstream.core.reading.feeds import FeedSpec
from riskstream.core.reading.sketch import sketches
from riskstream.core.reading.stance import stance
from riskstream.core.records import Document, Stance

KIND_WEIGHTS = {"filing": 1.0, "news": 1.0, "customer": 0.5, "social": 0.5}
"""How far a kind is trusted at most, unless the feed names the source."""
AGENCIES = frozenset({"ap", "afp", "dpa", "pti", "ani", "upi", "efe", "ansa", "tass", "rtrs"})
"""Capitals in a dateline's brackets that are no ticker."""

_HEAD_CHARS = 160
_NAME = r"[^()（）\n:：]{2,40}?"
_ORIGINS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\s*(?:RT|rt|QT)\s+@(\w{1,40})",
        r"\s*(?:转发|转自|轉自|//)\s*@([\w-]{1,40})",
        rf"\s*\(({_NAME})\)\s*(?:[-–—:]+\s|(?=[A-Z]))",
        rf"\s*(?:[A-Z][\w.'’]*[ ,/]*){{1,5}}(?:[A-Z][a-z]{{2,8}}\.? \d{{1,2}} )?\(({_NAME})\)\s*[-–—]+\s",
        rf"\s*(?:[Vv]ia|Source:)\s+(?:the )?({_NAME})\s*[:：]\s",
        r"\s*[【(]?([一-鿿]{2,6}社)[一-鿿]{0,8}\d{1,2}月\d{1,2}日[电電讯訊]",
        r"\s*[【(](?:来源|來源|转自|轉自)[::]?\s*([^】)]{2,20})[】)]",
        r"\s*据([一-鿿A-Za-z]{2,12}?)(?:消息|报道)[,,]",
    )
)
_MARKS = re.compile(r"[@(（:：)）】社据]")
"""One of these is in every origin."""
_HANDLE = re.compile(r"@[\w.-]{1,60}")


class Telling(msgspec.Struct, frozen=True):
    """What a document shows of itself. `sketch` is empty for a short text."""

    voice: str
    weight: float
    stance: Stance
    sketch: str


def tellings(documents: Sequence[Document], specs: Sequence[FeedSpec]) -> list[Telling]:
    """The telling of each document, which came by the feed beside it. Many at once cost less each."""
    made = sketches([document.text for document in documents])
    return [
        Telling(voice(document), weight(document, spec), stance(document.text), sketch)
        for document, spec, sketch in zip(documents, specs, made, strict=True)
    ]


def voice(document: Document) -> str:
    """Whom the text goes back to, casefolded."""
    title, _, body = document.text[:_HEAD_CHARS].partition("\n")
    for head in (body, title):
        if found := _origin(head):
            return found
    return author(document) or document.source.strip().casefold()


def author(document: Document) -> str:
    """Who wrote a post, as far as it says; empty for what is no post."""
    if document.author:
        return document.author.lstrip("@").casefold()
    title = document.title.strip()
    return title[1:].casefold() if document.kind == "social" and is_handle(title) else ""


def is_handle(title: str) -> bool:
    """Whether a title is nothing but the name of an account."""
    return _HANDLE.fullmatch(title.strip()) is not None


def weight(document: Document, spec: FeedSpec) -> float:
    """How far the document is trusted, from 0 to 1."""
    named = spec.source_weights.get(document.source)
    return min(spec.weight, KIND_WEIGHTS.get(document.kind, 1.0)) if named is None else named


def _origin(text: str) -> str:
    if not _MARKS.search(text):
        return ""
    for pattern in _ORIGINS:
        if found := pattern.match(text):
            name = found[1].strip().casefold()
            if not (found[1].isupper() and len(name) <= 5) or name in AGENCIES or "@" in found[0]:
                return name
    return ""
