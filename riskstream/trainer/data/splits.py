"""Which side of the split a text is on: one side over all files and heads, and no near copy on the other.

    rows with a split ────────────────────────────────┐
    rows without ──► group of near copies ──► by hash ─┴──► train, less what is (nearly) a text to measure on

Rule 1. A split that a row states is kept. A row that states none goes where its text, or a near copy, already is.
Rule 2. Only `train` loses rows; what is measured on never depends on what is trained on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from riskstream.core.errors import OperatorError
from riskstream.trainer.config import SplitShares
from riskstream.trainer.data.copies import copies, leaders, plain, share_of
from riskstream.trainer.data.rows import Row

GROUP_THRESHOLD = 0.8
"""How alike two texts without a split are that go to the same side, where `data.near_duplicates` does not say it."""
STRICTNESS = ("test", "valid", "spare", "train")
"""A text that rows state several splits for pulls its copies to the first of these."""


def with_splits(rows: Sequence[Row], shares: SplitShares, threshold: float) -> list[Row]:
    """The rows, each with a split; the order stays."""
    if all(row.split for row in rows):
        return list(rows)
    stated: dict[str, str] = {}
    for row in rows:
        if row.split:
            bare = plain(row.text)
            stated[bare] = min(row.split, stated.get(bare, row.split), key=STRICTNESS.index)
    open_texts = {row.text: plain(row.text) for row in rows if not row.split}
    lead = leaders(list(open_texts.values()), threshold or GROUP_THRESHOLD, first=stated)
    return [
        row
        if row.split
        else msgspec.structs.replace(
            row, split=stated.get(lead[open_texts[row.text]]) or by_hash(lead[open_texts[row.text]], shares)
        )
        for row in rows
    ]


def by_hash(text: str, shares: SplitShares) -> str:
    """The side of a plain text that no row states a split for."""
    place = share_of(text)
    if place < shares.test:
        return "test"
    return "valid" if place < shares.test + shares.valid else "train"


def train_copies(rows: Sequence[Row], threshold: float) -> set[str]:
    """The texts in train that are (nearly) one of another split."""
    held = {row.text for row in rows if row.split != "train"}
    return set(copies([row.text for row in rows if row.split == "train"], held, threshold))


def check_split(rows: Sequence[Row]) -> None:
    """Raise OperatorError where a text for training is also one to measure on."""
    sides: dict[str, set[bool]] = {}
    for row in rows:
        sides.setdefault(row.text, set()).add(row.split == "train")
    both = sum(len(side) > 1 for side in sides.values())
    if both:
        raise OperatorError(
            "split",
            both,
            "texts are in train and in another split",
            "split by text, over all files, or set data.near_duplicates: it drops them from train",
        )


def without_copies(parts: dict[str, list[Row]], threshold: float) -> tuple[dict[str, list[Row]], Counter[str]]:
    """The files' rows less the training rows that copy a text of another split, and how many each file lost."""
    rows = [row for part in parts.values() for row in part]
    if threshold <= 0:
        check_split(rows)
        return parts, Counter()
    dropped = train_copies(rows, threshold)
    kept = {
        name: [row for row in part if row.split != "train" or row.text not in dropped] for name, part in parts.items()
    }
    return kept, Counter({name: len(part) - len(kept[name]) for name, part in parts.items()})
