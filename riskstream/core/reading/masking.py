"""Personal data in a text, replaced by what kind it was, before anything is made of the text.

    text (unescaped, NFKC) ─► names that the feed gives ─► e-mail ─► ids, cards, accounts ─► phones ─► masked text

    [NAME]  [EMAIL]  [ID]  [CARD]  [ACCOUNT]  [PHONE]

Rule 1. A number counts as an identity, a card or an account by its own check digits (python-stdnum), so that prices,
        dates and tickers stay; a number without check digits counts after a word that says what it is.
Rule 2. Blanks, dashes, dots and invisible characters within a number do not hide it. Full-width digits are plain ones
        by then: NFKC has seen to it.
Rule 3. More is masked rather than less: a number that might be two things is masked as the first.

An honest doubt: names are found where the feed gives them, not in free text; and a number spelt in words is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from stdnum import iban, luhn
from stdnum.cn import ric
from stdnum.us import ssn

NAME_CHARS_MIN = 2
_GAP = r"[\s.\-\u2010-\u2015\u00ad\u200b-\u200f\u2060\ufeff]"
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")
_NOT_ALNUM = re.compile(r"[\W_]+")
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{2,63}")
_IBAN = re.compile(
    rf"(?<![A-Za-z0-9])[A-Z]{{2}}{_GAP}?[0-9]{{2}}(?:{_GAP}?[A-Z0-9]{{4}}){{2,7}}(?:{_GAP}?[A-Z0-9]{{1,3}})?"
    r"(?![A-Za-z0-9])"
)
_RESIDENT = re.compile(rf"(?<![0-9])[1-9](?:{_GAP}{{0,2}}[0-9]){{16}}{_GAP}{{0,2}}[0-9Xx](?![0-9])")
_SSN = re.compile(rf"(?<![0-9-])[0-9]{{3}}(?:{_GAP})[0-9]{{2}}(?:{_GAP})[0-9]{{4}}(?![0-9-])")
_CARD = re.compile(rf"(?<![0-9])[2-6](?:{_GAP}{{0,2}}[0-9]){{12,18}}(?![0-9])")
_ACCOUNT = re.compile(
    r"(?P<said>(?:account|acct|a/c|iban|sort code|账号|帐号|账户|帐户|卡号|银行卡)\w{0,3}\W{0,3}"
    r"(?:(?:number|no|nr|is|为|是)\W{0,3}){0,2})"
    rf"(?P<number>[A-Z]{{0,4}}[0-9](?:{_GAP}{{0,2}}[0-9*]){{5,29}})",
    re.IGNORECASE,
)
_IDENTITY = re.compile(
    r"(?P<said>(?:passport|national id|id card|driver'?s licen[cs]e|social security|ssn|身份证|护照|证件)\w{0,3}\W{0,3}"
    r"(?:(?:number|no|nr|is|号码|号|为|是)\W{0,3}){0,2})"
    rf"(?P<number>[A-Z]{{0,3}}[0-9](?:{_GAP}{{0,2}}[0-9A-Z]){{4,19}})",
    re.IGNORECASE,
)
_MOBILE = re.compile(rf"(?<![0-9])(?:(?:\+|00)?86{_GAP}{{0,2}})?1[3-9](?:{_GAP}{{0,2}}[0-9]){{9}}(?![0-9])")
_PHONE = re.compile(
    rf"(?<![0-9A-Za-z])(?:\+[1-9][0-9]{{0,2}}(?:{_GAP}{{0,2}}\(?[0-9]\)?){{6,13}}"
    rf"|\(?[2-9][0-9]{{2}}\)?{_GAP}{{1,2}}[0-9]{{3}}{_GAP}[0-9]{{4}}"
    rf"|0[0-9]{{2,4}}{_GAP}{{1,2}}[0-9]{{3,4}}{_GAP}?[0-9]{{3,4}}|[48]00{_GAP}?[0-9]{{3,4}}{_GAP}?[0-9]{{3,4}})(?![0-9])"
)


def mask(text: str, names: Iterable[str] = ()) -> str:
    """The text without what names a person. `names` are masked wherever they stand, in any case."""
    for name in sorted({name.strip() for name in names}, key=lambda name: (-len(name), name)):
        if len(name) >= NAME_CHARS_MIN:
            text = _name(name).sub("[NAME]", text)
    if not any(character.isdigit() for character in text) and "@" not in text:
        return text
    text = _EMAIL.sub("[EMAIL]", text)
    for pattern, holds, kind in _CHECKED:
        text = pattern.sub(_replacing(holds, kind), text)
    for pattern, kind in ((_IDENTITY, "[ID]"), (_ACCOUNT, "[ACCOUNT]")):
        text = pattern.sub(rf"\g<said>{kind}", text)
    for pattern in (_MOBILE, _PHONE):
        text = pattern.sub("[PHONE]", text)
    return text


def _replacing(holds: Callable[[str], bool], kind: str) -> Callable[[re.Match[str]], str]:
    def replace(found: re.Match[str]) -> str:
        return kind if holds(_NOT_ALNUM.sub("", _INVISIBLE.sub("", found[0]))) else found[0]

    return replace


def _name(name: str) -> re.Pattern[str]:
    """The name with any blanks between its parts; a name of letters and not of Han characters stands by itself."""
    parts = r"\s+".join(re.escape(part) for part in name.split())
    edge = r"(?<!\w){}(?!\w)" if name.isascii() else "{}"
    return re.compile(edge.format(parts), re.IGNORECASE)


_CHECKED: tuple[tuple[re.Pattern[str], Callable[[str], bool], str], ...] = (
    (_IBAN, iban.is_valid, "[ACCOUNT]"),
    (_RESIDENT, ric.is_valid, "[ID]"),
    (_CARD, luhn.is_valid, "[CARD]"),
    (_SSN, ssn.is_valid, "[ID]"),
)
