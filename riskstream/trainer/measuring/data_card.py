"""The data card: what the labelled files hold, as counts. No text of a row ever stands in it.

riskstream data card --config config/train/finrisk.toml --out docs/data-card.md

files ──► rows with splits ──► Facts (counts, copies, agreement) ──► Markdown
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from riskstream.core.records import Labels
from riskstream.trainer.config import TrainConfig
from riskstream.trainer.data.copies import copies
from riskstream.trainer.data.examples import rows_of
from riskstream.trainer.data.rows import HEADS, SPLITS, Row
from riskstream.trainer.data.splits import GROUP_THRESHOLD, with_splits
from riskstream.trainer.measuring.agreement import Agreement, agreement, read_second

VALUES_MAX = 40
"""Rows of one table; a head with more labels is cut there, and the rest counted."""


class Facts(msgspec.Struct, frozen=True):
    """What the card says of copies: rows by file."""

    dropped: dict[str, int]
    leaked: dict[str, int]
    tuned: dict[str, int]


def data_card(config: TrainConfig) -> str:
    """The whole card. Reads every file of the config; takes some seconds for 50 thousand rows."""
    labels = Labels(config.labels.sentiment, config.labels.severity, config.labels.risk, config.labels.topic)
    parts = read_parts(config, labels)
    threshold = config.data.near_duplicates or GROUP_THRESHOLD
    second = None
    if config.data.second_reader:
        rows = [row for part in parts.values() for row in part]
        second = agreement(rows, read_second(Path(config.data.root) / config.data.second_reader), len(labels.severity))
    return render(config, parts, facts(parts, threshold), second)


def read_parts(config: TrainConfig, labels: Labels) -> dict[str, list[Row]]:
    """The rows of each file, each with its split, before copies are dropped."""
    read = {file.path: rows_of(config.data, file, labels) for file in config.data.files}
    flat = iter(
        with_splits([row for part in read.values() for row in part], config.data.split, config.data.near_duplicates)
    )
    return {path: [next(flat) for _ in part] for path, part in read.items()}


def facts(parts: Mapping[str, Sequence[Row]], threshold: float) -> Facts:
    """The rows of each file that (nearly) copy one on the other side, each way."""
    texts = {split: {row.text for part in parts.values() for row in part if row.split == split} for split in SPLITS}
    held = texts["valid"] | texts["test"] | texts["spare"]
    return Facts(
        dropped=_rows_with(parts, "train", set(copies(texts["train"], held, threshold))),
        leaked=_rows_with(parts, "test", set(copies(texts["test"], texts["train"], threshold))),
        tuned=_rows_with(parts, "valid", set(copies(texts["valid"], texts["test"], threshold))),
    )


def render(config: TrainConfig, parts: Mapping[str, Sequence[Row]], found: Facts, second: Agreement | None) -> str:
    """The card as Markdown."""
    rows = [row for part in parts.values() for row in part]
    threshold = config.data.near_duplicates
    sections = [
        "# Data card",
        "Written by `riskstream data card`, as counts alone; the texts belong to their publishers. "
        f"A row is a text, an entity and labels; there are {len(rows)} of {len({row.text for row in rows})} texts.",
        "## Files",
        _files(config, parts),
        "## Copies",
        f"Texts are copies where their pieces overlap by {threshold or GROUP_THRESHOLD:g} or more (Jaccard), after "
        "links, handles, case, marks and widths are taken off. "
        + ("Training rows that copy a text of another split are dropped. " if threshold else "None is dropped. ")
        + "A test row whose copy is in train is *leaked* for a model that was trained without that.",
        _copies(parts, found),
        *_heads(rows),
        *(
            part
            for title, key in KEYS.items()
            for part in (f"## By {title}", by_split(title, Counter((key(row), row.split) for row in rows)))
        ),
        "## Lengths",
        _lengths(rows),
    ]
    if second:
        sections += ["## Two readers", _agreement(config, second)]
    return "\n\n".join(sections) + "\n"


KEYS: dict[str, Callable[[Row], str]] = {
    "language": lambda row: row.lang,
    "source": lambda row: row.source,
    "kind": lambda row: row.kind or "not told",
    "draw": lambda row: row.picked or "not told",
    "entity": lambda row: "named" if row.entity else "none",
}


def by_split(title: str, counts: Mapping[tuple[str, str], int]) -> str:
    """A table of (value, split) counts, the most frequent value first."""
    totals: Counter[str] = Counter()
    for (value, _), count in counts.items():
        totals[value] += count
    values = sorted(totals, key=lambda value: (-totals[value], value))
    lines: list[list[Any]] = [
        [value, *(counts.get((value, split), 0) for split in SPLITS), totals[value]] for value in values
    ]
    if len(lines) > VALUES_MAX:
        rest = lines[VALUES_MAX:]
        lines = [
            *lines[:VALUES_MAX],
            [f"{len(rest)} others", *(sum(line[i] for line in rest) for i in range(1, 6))],
        ]
    return table([title, *SPLITS, "all"], lines)


def table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others figures."""
    rows = [head, ["---", *["---:"] * (len(head) - 1)], *lines]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows)


def _files(config: TrainConfig, parts: Mapping[str, Sequence[Row]]) -> str:
    lines = []
    for file in config.data.files:
        splits = Counter(row.split for row in parts[file.path])
        counts = [splits[split] for split in SPLITS]
        lines.append(
            [f"`{file.path}`", *counts, len(parts[file.path]), file.source or "not told", file.licence or "not told"]
        )
    return table(["file", *SPLITS, "all", "from", "licence"], lines)


def _copies(parts: Mapping[str, Sequence[Row]], found: Facts) -> str:
    columns = (found.dropped, found.leaked, found.tuned)
    lines: list[list[object]] = [[f"`{path}`", *(column.get(path, 0) for column in columns)] for path in parts]
    lines.append(["all", *(sum(column.values()) for column in columns)])
    return table(["file", "train like valid, test or spare", "test like train (leaked)", "valid like test"], lines)


def _heads(rows: Sequence[Row]) -> list[str]:
    heads = list(HEADS) + sorted({head for row in rows for head in row.labels} - set(HEADS))
    sections = []
    for head in heads:
        counts: Counter[tuple[str, str]] = Counter()
        for row in rows:
            value = row.labels.get(head)
            if value is not None:
                values = (value or ["none of them"]) if isinstance(value, list) else [value]
                counts.update((str(item), row.split) for item in values)
        if counts:
            sections += [f"## Labels: {head}", by_split(head, counts)]
    return sections


def _lengths(rows: Sequence[Row]) -> str:
    lines = []
    for lang in sorted({row.lang for row in rows}):
        sizes = [len(text) for text in {row.text for row in rows if row.lang == lang}]
        cuts = np.percentile(sizes, [5, 50, 95, 100], method="lower")
        lines.append([lang, len(sizes), *(int(cut) for cut in cuts)])
    return table(["characters", "texts", "5 % below", "half below", "95 % below", "longest"], lines)


def _agreement(config: TrainConfig, second: Agreement) -> str:
    intro = (
        f"`{config.data.second_reader}` labels {second.rows} rows again, by the same guidelines. The severity is the "
        f"same in {second.same_severity:.1%}. Kappa is 1 for agreement and 0 for what chance would give; of few rows "
        "it says little."
    )
    lines = [[name, second.positives.get(name, ""), f"{value:.2f}"] for name, value in second.kappas.items()]
    return f"{intro}\n\n{table(['question', 'yes, first reader', 'kappa'], lines)}"


def _rows_with(parts: Mapping[str, Sequence[Row]], split: str, texts: set[str]) -> dict[str, int]:
    return {path: sum(row.split == split and row.text in texts for row in part) for path, part in parts.items()}
