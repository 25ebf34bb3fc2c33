"""Texts that are the same but for dressing, or nearly the same: found, so that no test text is trained on.

    text ──► plain (NFKC, folded, no links, handles, marks) ──► shingles ──► MinHash ──► LSH ──► candidates
                                                                   └────────── exact Jaccard ◄──────┘

Rule 1. A candidate is only a candidate: the Jaccard share of its shingles is computed exactly.
Rule 2. The same texts give the same answer: hashes and permutations are seeded.
Rule 3. A text that is nothing but dressing (a bare link) is only a copy of the very same text.

LSH misses a pair at the threshold itself with a chance under `MISS_MAX`, and rarer above it.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped]

PERMUTATIONS = 128
MISS_MAX = 0.001
SIGNATURES_MAX = 100_000
"""Kept for the next search over the same texts: half a kilobyte each, so 50 MB at most."""
SEED = 1
LATIN_CHARS, CJK_CHARS = 5, 2
"""Characters of a shingle: about a word of either script, so one number changed in a headline leaves most shingles."""
LINK = re.compile(r"(?:https?://|www\.|pic\.twitter\.com/)\S+", re.IGNORECASE)
HANDLE = re.compile(r"(?:\brt\s+)?(?<!\w)@\w+", re.IGNORECASE)
CJK = re.compile(r"[\u3400-\u9fff]")


def plain(text: str) -> str:
    """What is left of a text without its dressing: widths, case, links, handles, marks, the signs of tags, gaps.

    The name behind `$` or `#` stays: the same words about another ticker ask another question.
    """
    bare = HANDLE.sub(" ", LINK.sub(" ", unicodedata.normalize("NFKC", text)))
    words = "".join(char if char.isalnum() else " " for char in bare.casefold()).split()
    return " ".join(words) or text


def shingles(text: str) -> frozenset[str]:
    """The overlapping pieces of a plain text; a text shorter than a piece is its own."""
    chinese = 2 * len(CJK.findall(text)) > len(text)
    joined, size = (text.replace(" ", ""), CJK_CHARS) if chinese else (text, LATIN_CHARS)
    return frozenset(joined[i : i + size] for i in range(max(1, len(joined) - size + 1)))


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """The share of the pieces of both that both have."""
    common = len(first & second)
    return common / (len(first) + len(second) - common)


def bands(threshold: float) -> tuple[int, int]:
    """How many bands of how many rows find a pair at the threshold with a chance above 1 - `MISS_MAX`."""
    fitting = [
        (PERMUTATIONS // rows, rows)
        for rows in range(1, 33)
        if (1 - threshold**rows) ** (PERMUTATIONS // rows) <= MISS_MAX
    ]
    return fitting[-1] if fitting else (PERMUTATIONS, 1)


class Index:
    """Plain texts, and which of them a text is nearly a copy of."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._lsh = MinHashLSH(num_perm=PERMUTATIONS, params=bands(threshold))
        self._pieces: dict[str, frozenset[str]] = {}

    def add(self, text: str, signature: MinHash) -> None:
        """Hold a text; one that is held already stays once."""
        if text not in self._pieces:
            self._pieces[text] = shingles(text)
            self._lsh.insert(text, signature, check_duplication=False)

    def find(self, text: str, signature: MinHash) -> str | None:
        """The held text that this one is most like, if that is near enough; of equals, the first by name."""
        if text in self._pieces:
            return text
        pieces = shingles(text)
        near = [
            (-share, other)
            for other in self._lsh.query(signature)
            if (share := jaccard(pieces, self._pieces[other])) >= self._threshold
        ]
        return min(near)[1] if near else None


def signatures(texts: Iterable[str]) -> list[MinHash]:
    """The MinHash of each plain text."""
    return [_signature(text) for text in texts]


@lru_cache(maxsize=SIGNATURES_MAX)
def _signature(text: str) -> MinHash:
    found = _blank().copy()
    found.update_batch([piece.encode() for piece in sorted(shingles(text))])
    return found


@lru_cache(maxsize=1)
def _blank() -> MinHash:
    return MinHash(num_perm=PERMUTATIONS, seed=SEED, hashfunc=zlib.crc32)


def copies(texts: Iterable[str], of: Iterable[str], threshold: float) -> dict[str, str]:
    """Each text of the first that is (nearly) one of the second, and a plain text of the second that it is like."""
    plain_of = {text: plain(text) for text in dict.fromkeys(texts)}
    held, asked = sorted({plain(text) for text in of}), sorted(set(plain_of.values()))
    index = Index(threshold)
    for text, signature in zip(held, signatures(held), strict=True):
        index.add(text, signature)
    like = {text: index.find(text, signature) for text, signature in zip(asked, signatures(asked), strict=True)}
    return {text: other for text, bare in plain_of.items() if (other := like[bare]) is not None}


def leaders(texts: Sequence[str], threshold: float, first: Iterable[str] = ()) -> dict[str, str]:
    """Each plain text and the one that leads its group: the first that it is nearly a copy of, or itself.

    The texts of `first` lead before all others.
    """
    ahead = sorted(set(first))
    order = ahead + sorted(set(texts) - set(ahead))
    index, lead = Index(threshold), {}
    for text, signature in zip(order, signatures(order), strict=True):
        lead[text] = index.find(text, signature) or text
        if lead[text] == text:
            index.add(text, signature)
    return lead


def share_of(text: str) -> float:
    """A number from 0 to 1 that depends on the text alone: where a split by hash puts it."""
    return zlib.crc32(text.encode()) / 2**32
