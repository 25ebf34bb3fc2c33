"""Which watched entities a text names, and how much it is about each.

    text ──fold──► one pass of Aho-Corasick ──► hits ──look, word ends──► ──longest wins──► per entity: place, count
    hints ──ids, names, aliases────────────────────────────────────────────────────────────► Found

Rule 1. What counts as a name in a text is told by `names.py`. A web address is not read.
Rule 2. Of hits that overlap, the one that begins first counts, and of those the longest: in "Pellham Creek Bank" there
        is no "Pellham Creek", and in "Bank of America" no "America".
Rule 3. A name that several entities share names each of them: who watches both a share and its issuer wants both. They
        share the relevance.
Rule 4. A hint that is an id names that entity; else it names those with that name or alias, in any case, a `$` or
        `NYSE:` before it aside. An entity that only a hint names is mentioned by its name, with relevance 0.5; a hint
        lifts the relevance of one that the text names too to at least that.
Rule 5. relevance = 0.5 place + 0.3 share + 0.2 min(count, 3) / 3
        place   1 in the title or the first sentence, 0.5 in the 500 characters after it, 0.25 beyond: the first mention
        share   the entity's mentions among the mentions of all watched entities: twelve cashtags in a row say little
        count   how often it is named
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import ahocorasick
import msgspec

from riskstream.core.reading.names import EXACT_WEARS, Wear, casefolded, fits, fold, joins, spellings, uniform
from riskstream.core.reading.text import clean
from riskstream.core.records import Mention, Watched

MENTIONS_MAX = 8
HINT_RELEVANCE = 0.5
HEAD_CHARS_MAX = 300
"""A title or a first sentence longer than this is none."""
NEAR_CHARS = 500
COUNT_MAX = 3

_LINK = re.compile(r"(?:https?://|www\.)[!-~]+")
_SENTENCE_END = re.compile(r"[!?。\n]|\.(?=\s|$)")


class Found(msgspec.Struct, frozen=True):
    """The mentions of a text, most relevant first; `dropped` counts those beyond the limit. `places` are where each is
    named, in order; none for one that a hint names, since the whole document is about it."""

    mentions: tuple[Mention, ...] = ()
    dropped: int = 0
    places: tuple[tuple[int, ...], ...] = ()


class _Spelling(msgspec.Struct, frozen=True):
    """A spelling: its length, whether its ends need a word's end, and whose it is in which look."""

    length: int
    opens: bool
    closes: bool
    owners: tuple[tuple[int, Wear], ...]


class Matcher:
    """A watchlist made ready for matching. It holds no state between texts and may be shared by threads."""

    def __init__(self, watched: Sequence[Watched]) -> None:
        self.watched = tuple(watched)
        folded: dict[str, dict[tuple[int, Wear], None]] = {}
        exact: dict[str, dict[tuple[int, Wear], None]] = {}
        self._names: dict[str, list[int]] = {}
        for index, one in enumerate(self.watched):
            names = (one.name, *one.aliases)
            for spelling, wear in (found for name in names for found in spellings(name)):
                (exact if wear in EXACT_WEARS else folded).setdefault(spelling, {})[index, wear] = None
            for key in dict.fromkeys(_hint_key(name) for name in names):
                self._names.setdefault(key, []).append(index)
        self._folded, self._exact = _automaton(folded), _automaton(exact)
        self._ids = {fold(clean(one.id)): index for index, one in enumerate(self.watched)}

    def find(self, text: str, hints: Sequence[str] = (), mentions_max: int = MENTIONS_MAX) -> Found:
        """The entities that this text, normalised by `clean`, or its hints name."""
        hits = self._hits(text)
        if not hits and not hints:
            return Found()
        places: dict[int, tuple[int, int]] = {}
        starts: dict[int, list[int]] = {}
        for start, end, owners in hits:
            for index in owners:
                places.setdefault(index, (start, end))
                starts.setdefault(index, []).append(start)
        head = _head_end(text) if hits else 0
        total = sum(map(len, starts.values()))
        scored = {index: _relevance(places[index][0], head, len(some), total) for index, some in starts.items()}
        for index in self._hinted(hints):
            starts[index] = []
            scored[index] = max(HINT_RELEVANCE, scored.get(index, 0.0))
        nowhere = (len(text), len(text))
        order = sorted(scored, key=lambda index: (-scored[index], places.get(index, nowhere)[0], index))
        kept = order[: max(0, mentions_max)]
        mentions = tuple(self._mention(index, text, places.get(index), scored[index]) for index in kept)
        return Found(mentions, len(order) - len(kept), tuple(tuple(starts[index]) for index in kept))

    def _mention(self, index: int, text: str, place: tuple[int, int] | None, relevance: float) -> Mention:
        one = self.watched[index]
        return Mention(one.id, one.name, text[place[0] : place[1]] if place else one.name, relevance)

    def _hits(self, text: str) -> list[tuple[int, int, list[int]]]:
        """The names that the text holds, in order, none overlapping another."""
        if "://" in text or "www." in text:
            text = _LINK.sub(lambda link: " " * len(link[0]), text)
        hits: list[tuple[int, int, list[int]]] = []
        size = len(text)
        plain = uniform(text)
        for automaton, read in ((self._folded, casefolded(plain)), (self._exact, plain)):
            for last, spelling in automaton.iter(read) if len(automaton) else ():
                start, end = last + 1 - spelling.length, last + 1
                if spelling.opens and start and joins(text[start - 1]):
                    continue
                if spelling.closes and end < size and joins(text[end]):
                    continue
                owners = {index: None for index, wear in spelling.owners if fits(wear, text, start, end)}
                if owners:
                    hits.append((start + (text[start] == "$"), end, list(owners)))
        if len(hits) < 2:
            return hits
        hits.sort(key=lambda hit: (hit[0], -hit[1]))
        kept: list[tuple[int, int, list[int]]] = []
        for hit in hits:
            if not kept or hit[0] >= kept[-1][1]:
                kept.append(hit)
            elif hit[:2] == kept[-1][:2]:
                kept[-1] = (*hit[:2], list(dict.fromkeys(kept[-1][2] + hit[2])))
        return kept

    def _hinted(self, hints: Iterable[str]) -> list[int]:
        """The entities that the hints name, each once."""
        found: dict[int, None] = {}
        for hint in hints:
            plain = fold(clean(hint).strip())
            if plain in self._ids:
                found[self._ids[plain]] = None
                continue
            key = _hint_key(hint)
            if key in self._ids:
                found[self._ids[key]] = None
            else:
                found.update(dict.fromkeys(self._names.get(key, ())))
        return list(found)


def _automaton(found: dict[str, dict[tuple[int, Wear], None]]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    for key, owners in found.items():
        automaton.add_word(key, _Spelling(len(key), joins(key[0]), joins(key[-1]), tuple(owners)))
    automaton.make_automaton()
    return automaton


def _hint_key(name: str) -> str:
    """A hint or a name for comparing: folded, without `$`, `=`, an exchange and a full stop at the end."""
    plain = fold(clean(name).strip())
    exchange, colon, rest = plain.partition(":")
    if colon and exchange.isalpha() and rest.strip():
        plain = rest.strip()
    return plain.lstrip("$=").rstrip(".") or plain


def _head_end(text: str) -> int:
    """Where the title and the first sentence after it end; without a title, where the first sentence ends."""
    line = text.find("\n", 0, HEAD_CHARS_MAX)
    start = line + 1
    found = _SENTENCE_END.search(text, start, start + HEAD_CHARS_MAX)
    return found.end() if found else start + HEAD_CHARS_MAX


def _relevance(first: int, head: int, count: int, total: int) -> float:
    """Rule 5."""
    place = 1.0 if first < head else 0.5 if first < head + NEAR_CHARS else 0.25
    return round(0.5 * place + 0.3 * count / total + 0.2 * min(count, COUNT_MAX) / COUNT_MAX, 4)
