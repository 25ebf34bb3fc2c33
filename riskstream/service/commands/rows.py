"""Files of documents as JSON lines, whatever they are: JSONL as it is, CSV and Parquet a row at a time.

    feed.jsonl ────────────────► lines
    feed.csv, feed.parquet ────► rows ─ empty cells left out, lists and times as JSON has them ─► lines

The ending of the name decides. Parquet needs the package pyarrow (`pip install riskstream[parquet]`).
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from riskstream.core.errors import OperatorError

ROWS_A_BATCH = 1_000
CELL_CHARS_MAX = 10_000_000
"""Python's csv module stops at 131,072 characters; a document may be longer."""

Advance = Callable[[int], None]


def lines(paths: Sequence[Path]) -> Iterator[bytes]:
    """The lines of files, one after the other; a bar on a terminal shows how far it is. Raises OperatorError."""
    for path in paths:
        with ExitStack() as stack:
            try:
                file = stack.enter_context(path.open("rb"))
                size = path.stat().st_size
            except OSError as error:
                fix = "give the path of a JSONL, CSV or Parquet file"
                raise OperatorError("file", str(path), f"cannot be read: {error.strerror}", fix) from None
            bar: Any = click.progressbar(
                length=size, label=path.name, file=sys.stderr, hidden=not sys.stderr.isatty()
            )  # fmt: skip
            stack.enter_context(bar)
            reader = _READERS.get(path.suffix.lower(), _json)
            yield from reader(file, path, bar.update)


def _json(file: BinaryIO, path: Path, advance: Advance) -> Iterator[bytes]:
    for line in file:
        advance(len(line))
        yield line


def _csv(file: BinaryIO, path: Path, advance: Advance) -> Iterator[bytes]:
    csv.field_size_limit(CELL_CHARS_MAX)

    def counted() -> Iterator[str]:
        for number, raw in enumerate(file, 1):
            advance(len(raw))
            try:
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                fix = "save it as UTF-8"
                raise OperatorError("file", f"{path}, line {number}", f"is not UTF-8: {error.reason}", fix) from None

    rows = csv.DictReader(counted())
    try:
        for row in rows:
            yield _line({name: value for name, value in row.items() if name and value})
    except csv.Error as error:
        fix = "mend the line; a quoted cell may hold line breaks, and its quotes are doubled"
        raise OperatorError("file", f"{path}, line {rows.line_num}", f"is not CSV: {error}", fix) from None


def _parquet(file: BinaryIO, path: Path, advance: Advance) -> Iterator[bytes]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        fix = "pip install 'riskstream[parquet]', or convert it to JSONL"
        raise OperatorError(
            "file", str(path), "Parquet needs the package pyarrow, which is not installed", fix
        ) from None
    try:
        table = parquet.ParquetFile(file)
        share = path.stat().st_size // max(1, table.metadata.num_rows)
        for row in chain.from_iterable(batch.to_pylist() for batch in table.iter_batches(ROWS_A_BATCH)):
            advance(share)
            yield _line({name: value for name, value in row.items() if value is not None})
    except arrow.ArrowException as error:
        raise OperatorError("file", str(path), f"is not Parquet: {error}", "give a Parquet file") from None


def _line(row: dict[str, Any]) -> bytes:
    values = {name: value.isoformat() if isinstance(value, date | datetime) else value for name, value in row.items()}
    return msgspec.json.encode(values) + b"\n"


_READERS: dict[str, Callable[[BinaryIO, Path, Advance], Iterator[bytes]]] = {".csv": _csv, ".parquet": _parquet}
