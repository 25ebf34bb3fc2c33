"""A watchlist file as the entities to watch.

    id,name,aliases,groups,parent,weight
    PLCB,Pellham Creek Bancorp,Pellham Creek|PLCB|佩勒姆溪银行,banks|us,,2.5

Rule 1. UTF-8 CSV with a header, in any order of columns; `id` and `name` must be there, the others may be missing or
        empty. Several aliases or groups are separated by `|`. A byte order mark, as Excel writes, and empty lines are
        fine.
Rule 2. Whatever is wrong is the operator's to mend: the error names file, line, column, value and the fix. Nothing is
        skipped, because an entity that is silently not watched is the worst mistake a watchlist can hold.
Rule 3. An id appears in keys and in alerts, so it is short, on one line, not `*` (the market) and without `|`. The same
        alias on two lines is no mistake: it names both (`entities.py`).
Rule 4. A parent is the id of another line, before or after, and no line is its own ancestor.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Sequence

import msgspec

from riskstream.core.errors import OperatorError
from riskstream.core.reading.text import bad_character
from riskstream.core.records import MARKET, Watched

COLUMNS = ("id", "name", "aliases", "groups", "parent", "weight")
ID_CHARS_MAX = 128
NAME_CHARS_MAX = 200
SEPARATOR = "|"


def parse_watchlist(text: str, origin: str) -> tuple[Watched, ...]:
    """The entities of a watchlist, in its order. `origin` names the file in errors, which are OperatorErrors."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    columns: list[str] | None = None
    lines: dict[str, int] = {}
    watched: list[Watched] = []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if columns is None:
                columns = _header(row, origin, reader.line_num)
                continue
            one = _row(row, columns, origin, reader.line_num)
            if one.id in lines:
                problem = f"the id is on line {lines[one.id]} already"
                raise OperatorError(_where(origin, reader.line_num, "id"), one.id, problem, "give each line its own id")
            lines[one.id] = reader.line_num
            watched.append(one)
    except csv.Error as error:
        fix = 'close every quote, and write a quote inside a quoted value as ""'
        raise OperatorError(_where(origin, reader.line_num, "quoting"), str(error), "not CSV", fix) from None
    if columns is None:
        raise OperatorError(origin, "", "the file has no header", f"begin it with {','.join(COLUMNS)}")
    _check_parents(watched, lines, origin)
    return tuple(watched)


def watchlist_hash(watched: Sequence[Watched]) -> str:
    """`sha256:` and 16 hex digits of what the watchlist says; how the file is laid out does not matter."""
    return "sha256:" + hashlib.sha256(msgspec.json.encode(watched)).hexdigest()[:16]


def _where(origin: str, line: int, column: str) -> str:
    return f"{origin}, line {line}, column {column}"


def _header(row: list[str], origin: str, line: int) -> list[str]:
    """The column names of the header."""
    columns = [cell.strip() for cell in row]
    for column in columns:
        if column not in COLUMNS or columns.count(column) > 1:
            problem = "no such column" if column not in COLUMNS else "the column is there twice"
            fix = f"use the columns {','.join(COLUMNS)}, separated by commas"
            raise OperatorError(_where(origin, line, "header"), column, problem, fix)
    for column in ("id", "name"):
        if column not in columns:
            fix = f"add the column {column} to the header"
            raise OperatorError(_where(origin, line, "header"), ",".join(columns), f"no column {column}", fix)
    return columns


def _row(row: list[str], columns: list[str], origin: str, line: int) -> Watched:
    """One line of the watchlist, checked by itself."""
    if len(row) > len(columns):
        fix = "quote a value that holds a comma, and separate several aliases or groups by |"
        problem = f"{len(row)} values under {len(columns)} columns"
        raise OperatorError(_where(origin, line, columns[-1]), ",".join(row[len(columns) - 1 :]), problem, fix)
    cells = dict.fromkeys(COLUMNS, "") | {column: cell.strip() for column, cell in zip(columns, row, strict=False)}
    for column, cell in cells.items():
        if bad_character(cell) is not None or (column in ("id", "name") and not cell.isprintable()):
            fix = "keep to printable characters on one line"
            raise OperatorError(_where(origin, line, column), cell, "a control character or half of a pair", fix)
    for column, chars_max in (("id", ID_CHARS_MAX), ("name", NAME_CHARS_MAX)):
        if not cells[column]:
            raise OperatorError(_where(origin, line, column), "", f"the {column} is empty", f"give a {column}")
        if len(cells[column]) > chars_max:
            problem = f"{len(cells[column])} characters, at most {chars_max}"
            raise OperatorError(_where(origin, line, column), cells[column], problem, f"shorten the {column}")
    if cells["id"] == MARKET or SEPARATOR in cells["id"]:
        problem = "it stands for the market" if cells["id"] == MARKET else f"an id holds no {SEPARATOR}"
        raise OperatorError(_where(origin, line, "id"), cells["id"], problem, "choose another id")
    return Watched(
        id=cells["id"],
        name=cells["name"],
        aliases=_several(cells["aliases"]),
        groups=_several(cells["groups"]),
        parent=cells["parent"],
        weight=_weight(cells["weight"], origin, line),
    )


def _several(cell: str) -> tuple[str, ...]:
    """The values of a cell, each once."""
    return tuple(dict.fromkeys(part.strip() for part in cell.split(SEPARATOR) if part.strip()))


def _weight(cell: str, origin: str, line: int) -> float:
    try:
        weight = float(cell) if cell else 1.0
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight) or weight < 0:
        problem = "not a number of at least 0"
        raise OperatorError(_where(origin, line, "weight"), cell, problem, "write a number such as 1 or 2.5")
    return weight


def _check_parents(watched: Sequence[Watched], lines: dict[str, int], origin: str) -> None:
    """Every parent is there, and following parents ends."""
    parents = {one.id: one.parent for one in watched}
    sound = {""}
    for one in watched:
        path: dict[str, None] = {}
        at = one.id
        while at not in sound:
            path[at] = None
            parent = parents[at]
            where = _where(origin, lines[at], "parent")
            if parent and parent not in parents:
                raise OperatorError(where, parent, "no line has this id", "name the id of another line")
            if parent in path:
                raise OperatorError(where, parent, f"{at} is its own ancestor", "take one of the parents away")
            at = parent
        sound.update(path)
