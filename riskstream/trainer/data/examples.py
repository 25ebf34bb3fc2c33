"""Labelled rows in, examples out: read, checked, split, merged.

    rows of all files ──► splits, less copies ──► merge by (text, entity, split) ──► Example: all that any file knows

Rule 1. One forward serves several heads, so rows that are the same question are one example.
Rule 2. Training sees `train` alone. A text that is in `test`, `valid` or `spare` anywhere is refused in `train`, or
        dropped from it, with its near copies, where `data.near_duplicates` is set.
Rule 3. A missing head is unlabelled, never negative; `risk = []` says that none of the categories applies.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels
from riskstream.trainer.config import DataConfig, DataFile
from riskstream.trainer.data.copies import copies
from riskstream.trainer.data.rows import HEADS, Row, read_rows
from riskstream.trainer.data.splits import with_splits, without_copies

log = logging.getLogger(__name__)


class RowLabels(msgspec.Struct, frozen=True):
    """The labels of one row, by head of ours."""

    sentiment: str | None = None
    severity: int | None = None
    risk: tuple[str, ...] | None = None
    topic: str | None = None


class Example(msgspec.Struct, frozen=True):
    """One question to the model, and all that is known of its answer, as label positions.

    `parts` are the files that it came from; `kin` is how many entities are asked about in the same text. `source`,
    `kind` (news, social, filing, contract, …; empty: not told), `picked` and `id` are those of the file named first.
    `extra` are labels of other heads than ours, one a head.
    """

    text: str
    entity: str
    lang: str
    source: str
    kind: str
    split: str
    parts: tuple[str, ...]
    repeat: float
    kin: int
    sentiment: int | None
    severity: int | None
    risk: tuple[int, ...] | None
    topic: int | None
    picked: str = ""
    id: str = ""
    extra: tuple[tuple[str, str], ...] = ()


def part_name(path: str) -> str:
    """The short name of a file in slices and repeats: `risk/authored.zh.jsonl` → `authored.zh`."""
    return Path(path).name.removesuffix(".jsonl")


def path_of(config: DataConfig, file: DataFile) -> Path:
    """Where a file lies."""
    return Path(file.root or config.root) / file.path


def rows_of(config: DataConfig, file: DataFile, labels: Labels | None = None) -> list[Row]:
    """The rows of one file. Raises OperatorError for a bad row, and for a measured one beside `data.root`."""
    path = path_of(config, file)
    rows = read_rows(path, labels)
    measured = next((row for row in rows if file.root and row.split != "train"), None)
    if measured is not None:
        problem = "a file with a root of its own has rows of split `train` alone"
        raise OperatorError(f"{path} split", measured.split, problem, f"correct row {measured.id}, or move the file")
    return rows


def load_rows(config: DataConfig, labels: Labels | None = None) -> tuple[dict[str, list[Row]], Counter[str]]:
    """The rows of each file by its path, each row with a split, and how many training rows each lost as copies."""
    read = {file.path: rows_of(config, file, labels) for file in config.files}
    flat = with_splits([row for rows in read.values() for row in rows], config.split, config.near_duplicates)
    parts: dict[str, list[Row]] = {}
    for path, rows in read.items():
        parts[path], flat = flat[: len(rows)], flat[len(rows) :]
    return without_copies(parts, config.near_duplicates)


def load_examples(config: DataConfig, labels: Labels) -> list[Example]:
    """All examples of all files and splits, merged, in a stable order. Raises OperatorError for a bad row."""
    found: dict[tuple[str, str, str], Example] = {}
    kin: dict[str, set[str]] = {}
    parts, dropped = load_rows(config, labels)
    for file in config.files:
        if dropped[file.path]:
            log.info("%s: %d training rows copy a text of another split, dropped", file.path, dropped[file.path])
        for row in parts[file.path]:
            example = _example(row, part_name(file.path), file.repeat, labels)
            key = (row.text, row.entity, row.split)
            found[key] = _merge(found[key], example) if key in found else example
            kin.setdefault(row.text, set()).add(row.entity)
    return [msgspec.structs.replace(example, kin=len(kin[example.text])) for example in found.values()]


def leaked(examples: Iterable[Example], threshold: float = 0.8) -> set[str]:
    """The texts of `test` of which a (near) copy is in `train`: what a model may know by heart.

    Empty by construction where the examples were loaded with `data.near_duplicates`: load them without.
    """
    texts: dict[str, list[str]] = {"train": [], "test": []}
    for example in examples:
        if example.split in texts:
            texts[example.split].append(example.text)
    return set(copies(texts["test"], texts["train"], threshold))


def of(examples: Iterable[Example], *, split: str, part: str = "", head: str = "") -> list[Example]:
    """The examples of a split, of a file (empty: all), that have a label for a head (empty: any)."""
    return [
        example
        for example in examples
        if example.split == split
        and (not part or part in example.parts)
        and (not head or getattr(example, head) is not None)
    ]


def _place(value: str | None, names: Sequence[str]) -> int | None:
    return None if value is None else names.index(value)


def _example(row: Row, part: str, repeat: float, labels: Labels) -> Example:
    known = msgspec.convert(row.labels, RowLabels)
    return Example(
        text=row.text,
        entity=row.entity,
        lang=row.lang,
        source=row.source,
        kind=row.kind,
        split=row.split,
        parts=(part,),
        repeat=repeat,
        kin=1,
        sentiment=_place(known.sentiment, labels.sentiment),
        severity=known.severity,
        risk=None if known.risk is None else tuple(labels.risk.index(name) for name in known.risk),
        topic=_place(known.topic, labels.topic),
        picked=row.picked,
        id=row.id,
        extra=tuple(
            (head, value) for head, value in row.labels.items() if head not in HEADS and isinstance(value, str)
        ),
    )


def _merge(first: Example, second: Example) -> Example:
    """Both files' labels; where both have a head, the one named first in the config stays."""
    return msgspec.structs.replace(
        first,
        parts=first.parts if second.parts[0] in first.parts else first.parts + second.parts,
        repeat=max(first.repeat, second.repeat),
        sentiment=second.sentiment if first.sentiment is None else first.sentiment,
        severity=second.severity if first.severity is None else first.severity,
        risk=second.risk if first.risk is None else first.risk,
        topic=second.topic if first.topic is None else first.topic,
        picked=first.picked or second.picked,
        extra=first.extra + tuple(pair for pair in second.extra if pair[0] not in dict(first.extra)),
    )
