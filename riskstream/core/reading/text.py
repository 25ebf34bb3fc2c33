"""Text as the model reads it and as entities are matched in it, with the way back to the original.

    original ──html.unescape──► ──NFKC──► text        `clean`: the text alone
       ▲                                    │         `normalise`: the text with a map
       └────────────── span ◄───────────────┘

Rule 1. The text is exactly `NFKC(html.unescape(original))`, once each; what needs neither comes back as it is.
Rule 2. A span of the text maps to the smallest span of the original that made it: `&amp;` makes one `&`.
Rule 3. A fingerprint sees letters and digits only, casefolded, so that copies that differ in punctuation, spaces or
        case have the same. A text without any (a wall of emoji) is named by its characters.
Rule 4. Where Han characters and kana are at least three in ten of the letters the language is `zh`, or `ja` where a
        tenth or more of those are kana; else it is `en`. Other languages are not told apart: a feed in one of them
        says so itself.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b

import msgspec

SNIPPET_CHARS_MAX = 280
LANGUAGE_CHARS_MAX = 2_000
"""A language shows in the first 2,000 characters."""
HAN_SHARE_MIN = 0.3
KANA_SHARE_MIN = 0.1

_REFERENCE = re.compile(r"&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)")
"""What `html.unescape` looks at, each by itself."""
_NO_CHARACTER = re.compile(r"&#[0-9]{1000,};?")
_HAN = re.compile(r"[㐀-䶿一-鿿豈-\ufaff\U00020000-\U0003134f]")
_KANA = re.compile(r"[぀-ヿㇰ-ㇿ]")
_LETTER = re.compile(r"[^\W\d_]")
_NOT_ALNUM = re.compile(r"[\W_]+")
_NOT_ALNUM_ASCII = bytes(code for code in range(128) if not chr(code).isalnum())
"""The same of ASCII alone, which is taken out ten times as fast."""
_BAD = re.compile("[\x00\ud800-\udfff]")
_JOINERS = "\u200d\ufe0e\ufe0f"
_COMPOSING = frozenset(
    chr(code)
    for code in (
        *range(0x1161, 0x1176),
        *range(0x11A8, 0x11C3),
        *(0x9BE, 0x9D7, 0xB3E, 0xB56, 0xB57, 0xBBE, 0xBD7, 0xCC2, 0xCD5, 0xCD6, 0xD3E, 0xD57, 0xDCF, 0xDDF, 0x102E),
        *(0x1B35, 0x11127, 0x1133E, 0x11357, 0x114B0, 0x114BA, 0x114BD, 0x115AF, 0x11930),
    )
)
"""Characters that merge with the one before them although they are no combining marks."""


class Normalised(msgspec.Struct, frozen=True):
    """A normalised text. `offsets` holds the original span of each character; None where nothing changed."""

    text: str
    offsets: tuple[tuple[int, int], ...] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that made `text[start:end]`."""
        if self.offsets is None:
            return start, end
        if start >= end:
            at = self.offsets[start][0] if start < len(self.offsets) else (self.offsets or ((0, 0),))[-1][1]
            return at, at
        return self.offsets[start][0], self.offsets[end - 1][1]


class Origin(msgspec.Struct, frozen=True):
    """Where a part of a document's text stands in the feed's own text. The body begins at `at` of the document, and
    `lead` characters of the normalised body were stripped before it."""

    body: Normalised
    at: int = 0
    lead: int = 0

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the feed's text that made this part of the document's text; the title makes nothing."""
        return self.body.span(max(0, start - self.at) + self.lead, max(0, end - self.at) + self.lead)


def origin(body: str, document: str) -> Origin:
    """The way back from a document's text, made by `compose`, to the body as the feed gave it."""
    made = normalise(body)
    stripped = made.text.strip()
    return Origin(made, len(document) - len(stripped), len(made.text) - len(made.text.lstrip()))


def unescape(text: str) -> str:
    """`html.unescape`, but a number of thousands of digits, at which that raises, is no character like smaller ones."""
    try:
        return html.unescape(text) if "&" in text else text
    except ValueError:
        return html.unescape(_NO_CHARACTER.sub("\ufffd", text))


def clean(text: str) -> str:
    """The text unescaped and NFKC, without the map: what a document carries."""
    text = unescape(text)
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def normalise(text: str) -> Normalised:
    """The text unescaped and NFKC, with the map back."""
    if clean(text) == text:
        return Normalised(text)
    pieces, spans = _unescaped(text)
    plain = "".join(pieces)
    out: list[str] = []
    offsets: list[tuple[int, int]] = []
    start = 0
    while start < len(plain):
        end = start + 1
        while end < len(plain) and not _opens(plain[end]):
            end += 1
        made = unicodedata.normalize("NFKC", plain[start:end])
        out.append(made)
        if made == plain[start:end]:
            offsets.extend(spans[start:end])
        else:
            offsets.extend([(spans[start][0], spans[end - 1][1])] * len(made))
        start = end
    return Normalised("".join(out), tuple(offsets))


def compose(title: str, body: str) -> str:
    """What the model reads: title, newline, text; the title is left out if it is blank or the text starts with it."""
    if not title.strip() or body.startswith(title):
        return body
    return f"{title}\n{body}"


def language(text: str) -> str:
    """`zh`, `ja` or `en`, by the share of Han characters and kana among the letters (rule 4)."""
    if text.isascii():
        return "en"
    head = text[:LANGUAGE_CHARS_MAX]
    han, kana = len(_HAN.findall(head)), len(_KANA.findall(head))
    if not han + kana or han + kana < HAN_SHARE_MIN * len(_LETTER.findall(head)):
        return "en"
    return "ja" if kana >= KANA_SHARE_MIN * (han + kana) else "zh"


def fingerprint(text: str) -> str:
    """16 hex digits that name the text by its letters and digits (rule 3)."""
    if text.isascii():
        letters = text.lower().encode().translate(None, _NOT_ALNUM_ASCII) or text.encode()
    else:
        letters = (_NOT_ALNUM.sub("", text.casefold()) or text).encode("utf-8", "surrogatepass")
    return blake2b(letters, digest_size=8).hexdigest()


def snippet(text: str, chars_max: int = SNIPPET_CHARS_MAX) -> str:
    """The beginning of the text on one line, at most `chars_max` code points, an ellipsis included.

    The cut splits no character from its marks, and no word where a space is near.
    """
    line = " ".join(text[: 4 * chars_max].split())
    if len(line) <= chars_max and len(text) <= 4 * chars_max:
        return line
    cut = min(chars_max - 1, len(line))
    space = line.rfind(" ", cut - 16, cut + 1) if cut > 32 else -1
    if space > 0:
        cut = space
    while 0 < cut < len(line) and _clings(line, cut):
        cut -= 1
    return line[:cut].rstrip() + "…"


def bad_character(text: str) -> int | None:
    """The place of the first NUL or lone surrogate, which no JSON text may carry on; None where there is none."""
    if text.isascii() and "\x00" not in text:
        return None
    found = _BAD.search(text)
    return found.start() if found else None


def is_blank(text: str) -> bool:
    """Whether nothing of the text would be seen: spaces, controls and zero-width characters only."""
    return not any(char.isprintable() and not char.isspace() for char in text)


def _unescaped(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """The characters of the unescaped text and the original span of each."""
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []

    def keep(start: int, end: int) -> None:
        pieces.extend(text[start:end])
        spans.extend((at, at + 1) for at in range(start, end))

    done = 0
    for found in _REFERENCE.finditer(text):
        keep(done, found.start())
        done = found.end()
        whole, made = found.group(), unescape(found.group())
        tail = 0  # `&copy=2` makes `©=2`: its tail stays as it was
        if len(made) > 1:
            while tail < min(len(made), len(whole)) - 1 and made[-1 - tail] == whole[-1 - tail]:
                tail += 1
        changed = made[: len(made) - tail]
        pieces.extend(changed)
        spans.extend([(found.start(), found.end() - tail)] * len(changed))
        keep(found.end() - tail, found.end())
    keep(done, len(text))
    return pieces, spans


@lru_cache(maxsize=8_192)
def _opens(char: str) -> bool:
    """Whether NFKC can be taken apart before this character: nothing in it joins what stands before."""
    if char.isascii():
        return True
    first = unicodedata.normalize("NFKD", char)[0]
    return not unicodedata.combining(first) and first not in _COMPOSING


def _clings(line: str, at: int) -> bool:
    """Whether the character at this place belongs to the one before it: a mark, a joiner, what a joiner joins."""
    return (
        line[at] in _JOINERS
        or line[at - 1] == "\u200d"
        or unicodedata.category(line[at]) in ("Mn", "Mc", "Me")
        or 0x1F3FB <= ord(line[at]) <= 0x1F3FF
    )
