"""How a name of the watchlist may stand in a text: which spellings are looked for, and what must be around them.

| the name                                   | is found                                            | example         |
|--------------------------------------------|-----------------------------------------------------|-----------------|
| one or two capitals, or an everyday word   | only in a ticker's dress                            | `C`, `GE`, `ALL`|
| digits only; anything written with a `$`   | only in a ticker's dress                            | `600616`, `$AI` |
| three to five capitals; all after an `=`   | as a word in just these letters; cashtag in any     | `PLCB`, `=GE`   |
| nothing but everyday words                 | as a word that does not begin in a small letter     | `Target`        |
| every other one                            | as a word in any case                               | `Pellham Creek` |

Rule 1. A ticker's dress is `$GE` (any case), `(GE)` right after a name, `(GE.N)`, `NYSE: GE`, and `600616.SH`. A
        `(C)` after "copyright" or before a year is none.
Rule 2. A word ends where no letter, digit or underscore goes on. Han characters, kana and Hangul stand without spaces:
        they end a word before or after them, and a name that begins or ends in them needs no end there.
Rule 3. Case is folded character by character, so that places in the folded text are places in the text. Kinds of
        space, apostrophe and hyphen are one each.
Rule 4. `Acme, Inc.` is also `Acme Inc`. It is not `Acme`: who wants that gives it as an alias.
Rule 5. A single Chinese character is no name in a text; as a hint it is.
"""

from __future__ import annotations

import re
from enum import IntEnum

from riskstream.core.reading.text import clean
from riskstream.core.reading.words import EVERYDAY

CONTEXT_CHARS = 24
"""How far around a ticker its dress reaches: the longest exchange name, a colon and a bracket."""
CAPITALS_MAX = 5
BARE_CAPITALS_MIN = 3

_TICKER = re.compile(r"[A-Z0-9]{1,6}(?:[.\-/][A-Z]{1,2})?")
_UNIFORM = str.maketrans(
    {
        **dict.fromkeys("\n\r\t\x0b\x0c\u2028\u2029", " "),
        **dict.fromkeys("‘’ʼ`´", "'"),
        **dict.fromkeys("‐‑‒–—", "-"),
    }
)
_ODD_SPACE = re.compile(r"[\n\r\t`]")
_UNIFORM_ASCII = bytes(ord(chr(code).translate(_UNIFORM)) for code in range(128)) + bytes(range(128, 256))
"""The same of ASCII alone, which is translated twenty times as fast."""
_EXCHANGE = re.compile(
    r"(?:NYSE|N[Aa][Ss][Dd][Aa][Qq](?:G[SM])?|AMEX|NYSE American|LSE|LON|AIM|TSXV?|TSE|TYO|HKEX|HKG|HKSE|SEHK|SSE|SZSE"
    r"|SHA|SHE|ASX|NSE|BSE|OTC|OTCMKTS|OTCQ[BX]|EPA|ETR|FRA|XETRA|BIT|AMS|SWX|SIX|STO|OSL|CPH|HEL|KRX|SGX|Euronext)\s?[:：]\s?$"
)
_BRACKET_BEFORE = re.compile(r"(?<![Cc]opyright)(?<!COPYRIGHT)(?<=[^\W\d_]|[.'%]) ?\($")
_BRACKET_AFTER = re.compile(r"(?:\.[A-Z]{1,2}| [A-Z]{2})?\)(?! ?(?:19|20)\d\d)")
_BOARD_AFTER = re.compile(r"\.(?:SH|SZ|SS|BJ|HK|T|KS|TW)(?![A-Za-z0-9])")


class Wear(IntEnum):
    """What a spelling must look like in the text, as in the table above; `CASHTAG` is a ticker behind a `$`."""

    ANY = 0
    CAPITAL = 1
    CASHTAG = 2
    EXACT = 3
    DRESSED = 4


EXACT_WEARS = (Wear.EXACT, Wear.DRESSED)
"""Spellings looked for in the text as it stands; the others are looked for in the folded text."""


def uniform(text: str) -> str:
    """The text with one kind of space, apostrophe and hyphen, as long as the text itself."""
    if not text.isascii():
        return text.translate(_UNIFORM)
    return text.encode().translate(_UNIFORM_ASCII).decode() if _ODD_SPACE.search(text) else text


def fold(text: str) -> str:
    """The text for comparing in any case, as long as the text itself (rule 3)."""
    return casefolded(uniform(text))


def casefolded(text: str) -> str:
    """The same of a text that is uniform already."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded
    return "".join(one if len(one := char.casefold()) == 1 else char for char in text)


def joins(char: str) -> bool:
    """Whether a word goes on in this character (rule 2)."""
    return char < "\u2e80" and (char.isalnum() or char == "_")


def spellings(name: str) -> list[tuple[str, Wear]]:
    """What to look for: a folded or an exact spelling, and what it must look like."""
    name = uniform(clean(name)).strip()
    wear = None
    if len(name) > 1 and name[0] in "=$":
        wear = Wear.EXACT if name[0] == "=" else Wear.DRESSED
        name = name[1:].strip()
    exact = name.rstrip(".") or name
    if not exact or (len(exact) == 1 and not joins(exact)):
        return []
    wear = _wear(exact) if wear is None else wear
    if wear in EXACT_WEARS:
        return [(exact, wear), ("$" + fold(exact), Wear.CASHTAG)]
    return [(fold(form), wear) for form in dict.fromkeys((exact, exact.replace(",", "")))]


def fits(wear: Wear, text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]`, where the spelling was found, has the right look."""
    match wear:
        case Wear.ANY | Wear.EXACT:
            return True
        case Wear.CAPITAL:
            return not text[start].islower()
        case Wear.CASHTAG:
            return not start or not (joins(text[start - 1]) or text[start - 1] == "$")
    before, after = text[max(0, start - CONTEXT_CHARS) : start], text[end : end + CONTEXT_CHARS]
    if before.endswith("(") and _BRACKET_BEFORE.search(before) and _BRACKET_AFTER.match(after):
        return True
    return bool(_EXCHANGE.search(before)) or (text[start:end].isdigit() and bool(_BOARD_AFTER.match(after)))


def _wear(exact: str) -> Wear:
    lower = exact.lower()
    if _TICKER.fullmatch(exact):
        capitals = sum(char.isalpha() for char in exact)
        if capitals < BARE_CAPITALS_MIN or lower in EVERYDAY:
            return Wear.DRESSED
        if capitals <= CAPITALS_MAX:
            return Wear.EXACT
    return Wear.CAPITAL if all(word in EVERYDAY for word in lower.split()) else Wear.ANY
