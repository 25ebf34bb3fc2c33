"""Labelled rows in, examples out: read, checked, merged, split.

    rows of all files ──► merge by (text, entity, split) ──► Example: every label that any file has for that pair

Rule 1. One forward serves several heads, so rows that are the same question are one example.
Rule 2. Training sees `train` alone. A text that is in `test`, `valid` or `spare` anywhere is refused in `train`.
Rule 3. A missing head is unlabelled, never negative; `risk = []` says that none of the categories applies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels
from riskstream.trainer.config import DataConfig

SPLITS = ("train", "valid", "test", "spare")


class RowLabels(msgspec.Struct, frozen=True):
    """The labels of one row, by head."""

    sentiment: str | None = None
    severity: int | None = None
    risk: tuple[str, ...] | None = None
    topic: str | None = None


class Row(msgspec.Struct, frozen=True):
    """One line of a labelled file; fields that the trainer has no use for are passed over."""

    id: str
    text: str
    entity: str
    lang: str
    source: str
    split: str
    labels: dict[str, Any]
    kind: str = ""
    picked: str = ""


class Example(msgspec.Struct, frozen=True):
    """One question to the model, and all that is known of its answer, as label positions.

    `parts` are the files that it came from; `kin` is how many entities are asked about in the same text. `source` and
    `kind` (news, social, filing, contract, …) are the row's own; an empty kind is not told.
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


def read_rows(path: Path) -> list[Row]:
    """The rows of one file; a row without text asks nothing and is left out.

    Raises OperatorError with the file, the line, the field and its value.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError as error:
        raise OperatorError(
            "data.files", str(path), "there is no such file", "correct data.root or the path"
        ) from error
    decoder = msgspec.json.Decoder(Row)
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise OperatorError(
                f"{path}:{number}", line[:80].decode("utf-8", "replace"), str(error), "mend the line"
            ) from error
        if row.split not in SPLITS:
            raise OperatorError(f"{path}:{number} split", row.split, f"not one of {SPLITS}", "mend the line")
        if row.text.strip():
            rows.append(row)
    return rows


def part_name(path: str) -> str:
    """The short name of a file in slices and repeats: `risk/authored.zh.jsonl` → `authored.zh`."""
    return Path(path).name.removesuffix(".jsonl")


def load_examples(config: DataConfig, labels: Labels) -> list[Example]:
    """All examples of all files and splits, merged, in a stable order. Raises OperatorError for a bad row."""
    found: dict[tuple[str, str, str], Example] = {}
    kin: dict[str, set[str]] = {}
    for file in config.files:
        path = Path(config.root) / file.path
        for row in read_rows(path):
            example = _example(row, part_name(file.path), file.repeat, labels, path)
            key = (row.text, row.entity, row.split)
            found[key] = _merge(found[key], example) if key in found else example
            kin.setdefault(row.text, set()).add(row.entity)
    examples = [msgspec.structs.replace(example, kin=len(kin[example.text])) for example in found.values()]
    check_split(examples)
    return examples


def check_split(examples: Iterable[Example]) -> None:
    """Raise OperatorError where a text for training is also one to measure on."""
    held: set[str] = set()
    train: set[str] = set()
    for example in examples:
        (train if example.split == "train" else held).add(example.text)
    both = train & held
    if both:
        raise OperatorError(
            "split", len(both), "texts are in train and in another split", "split by text, over all files"
        )


def of(examples: Iterable[Example], *, split: str, part: str = "", head: str = "") -> list[Example]:
    """The examples of a split, of a file (empty: all), that have a label for a head (empty: any)."""
    return [
        example
        for example in examples
        if example.split == split
        and (not part or part in example.parts)
        and (not head or getattr(example, head) is not None)
    ]


def _place(value: str, names: Sequence[str], where: str) -> int:
    if value not in names:
        raise OperatorError(
            where, value, f"not a label of this head: {', '.join(names)}", "mend the row or the config's labels"
        )
    return names.index(value)


def _example(row: Row, part: str, repeat: float, labels: Labels, path: Path) -> Example:
    where = f"{path} id={row.id} labels"
    known = msgspec.convert(row.labels, RowLabels)
    if known.severity is not None and not 0 <= known.severity < len(labels.severity):
        raise OperatorError(
            f"{where}.severity", known.severity, f"not in 0..{len(labels.severity) - 1}", "mend the row"
        )
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
        sentiment=None if known.sentiment is None else _place(known.sentiment, labels.sentiment, f"{where}.sentiment"),
        severity=known.severity,
        risk=None if known.risk is None else tuple(_place(name, labels.risk, f"{where}.risk") for name in known.risk),
        topic=None if known.topic is None else _place(known.topic, labels.topic, f"{where}.topic"),
        picked=row.picked,
        id=row.id,
        extra=tuple(
            (k, v) for k, v in row.labels.items() if k not in RowLabels.__struct_fields__ and isinstance(v, str)
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
        extra=first.extra + second.extra,
    )
