"""One line of a labelled file, and what may be wrong with it.

    line ──► JSON object ──► fields: there, and of their type ──► labels: of their head ──► Row
                  └───────────────────┴──────── Mistake(line, field, value, problem, fix) ─────┘

Rule 1. A file is read to its end: its mistakes are told together, the first `MISTAKES_MAX` of them.
Rule 2. A head that is not ours is kept as it stands (an auxiliary head may want it); a label of ours must be known.
Rule 3. An empty or missing `split` is no mistake: `splits.py` gives the text one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from riskstream.core.errors import OperatorError
from riskstream.core.records import Labels

SPLITS = ("train", "valid", "test", "spare")
MISTAKES_MAX = 20
"""What fits a screen; the rest of a broken file is mostly the same mistake."""
VALUE_CHARS_MAX = 80
FIELDS: dict[str, type] = {
    **dict.fromkeys(("id", "text", "entity", "lang", "source"), str),
    "labels": dict,
    **dict.fromkeys(("split", "kind", "picked"), str),
}
REQUIRED = frozenset({"id", "text", "entity", "lang", "source", "labels"})
KINDS = {str: "text", dict: "an object", int: "a whole number", list: "a list of texts"}
HEADS: dict[str, type] = {"sentiment": str, "severity": int, "risk": list, "topic": str}


class Row(msgspec.Struct, frozen=True):
    """One line of a labelled file; fields that the trainer has no use for are passed over.

    `kind` is news, social, filing, …; `picked` how the row was drawn for labelling (`random`: a fair sample).
    """

    id: str
    text: str
    entity: str
    lang: str
    source: str
    labels: dict[str, Any]
    split: str = ""
    kind: str = ""
    picked: str = ""


class Mistake(msgspec.Struct, frozen=True):
    """What is wrong with one line, and what mends it."""

    line: int
    field: str
    value: str
    problem: str
    fix: str


def read_rows(path: Path, labels: Labels | None = None) -> list[Row]:
    """The rows of one file; a row without text asks nothing and is left out.

    With `labels`, every label must be one of its head's. Raises OperatorError with each line, field, value and fix.
    """
    rows, mistakes = check_rows(path, labels)
    if len(mistakes) == 1:
        first = mistakes[0]
        raise OperatorError(f"{path}:{first.line} {first.field}".rstrip(), first.value, first.problem, first.fix)
    if mistakes:
        first = mistakes[0]
        more = "".join(f"\n  {told(path, mistake)}" for mistake in mistakes[1:])
        count = f"{len(mistakes)} mistakes or more" if len(mistakes) == MISTAKES_MAX else f"{len(mistakes)} mistakes"
        raise OperatorError(
            f"{path}:{first.line} {first.field}".rstrip(), first.value, first.problem, f"{first.fix}; {count}{more}"
        )
    return [row for row in rows if row.text.strip()]


def told(path: Path, mistake: Mistake) -> str:
    """A mistake as one line."""
    where = f"{path}:{mistake.line} {mistake.field}".rstrip()
    return f"{where} = {mistake.value}: {mistake.problem}. Fix: {mistake.fix}."


def check_rows(
    path: Path, labels: Labels | None = None, *, unique_ids: bool = False
) -> tuple[list[Row], list[Mistake]]:
    """The good rows of a file and its first mistakes. Raises OperatorError where there is no file to read."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError as error:
        raise OperatorError(
            "data.files", str(path), "there is no such file", "correct data.root or the path"
        ) from error
    except OSError as error:
        raise OperatorError("data.files", str(path), f"cannot be read: {error.strerror}", "give a file") from error
    rows: list[Row] = []
    mistakes: list[Mistake] = []
    first_with: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        found = _row(number, line, labels)
        if unique_ids and isinstance(found, Row) and first_with.setdefault(found.id, number) != number:
            found = Mistake(
                number, "id", repr(found.id), f"stands in line {first_with[found.id]}, too", "give every row its own id"
            )
        if isinstance(found, Row):
            rows.append(found)
            continue
        mistakes.append(found)
        if len(mistakes) == MISTAKES_MAX:
            break
    return rows, mistakes


def _row(number: int, line: bytes, labels: Labels | None) -> Row | Mistake:
    try:
        raw = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        shown = _clipped(line.decode("utf-8", "replace"))
        return Mistake(number, "", shown, f"not JSON in UTF-8: {error}", "one JSON object a line")
    if not isinstance(raw, dict):
        return Mistake(number, "", _clipped(raw), "not an object", "one JSON object a line")
    for field, problem, fix in (*_field_mistakes(raw), *_label_mistakes(raw.get("labels"), labels)):
        return Mistake(number, field, _clipped(_at(raw, field)), problem, fix)
    return msgspec.convert(raw, Row)


def _field_mistakes(raw: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, kind in FIELDS.items():
        if name not in raw:
            if name in REQUIRED:
                yield name, "is missing", f"add it: {KINDS[kind]}, which may be empty" if name != "id" else "add it"
        elif not isinstance(raw[name], kind):
            yield name, f"is not {KINDS[kind]}", f"write it as {KINDS[kind]}"
    if raw.get("id") == "":
        yield "id", "is empty", "give every row its own id"
    if raw.get("split", "") not in ("", *SPLITS):
        yield "split", f"not one of {', '.join(SPLITS)}", "write one of them, or leave it out"


def _label_mistakes(found: Any, labels: Labels | None) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the labels of our four heads; a null is a head that is not labelled."""
    for head, kind in HEADS.items():
        value: Any = found.get(head) if isinstance(found, dict) else None
        if value is None:
            continue
        field = f"labels.{head}"
        texts = [value] if kind is str else value
        wrong_items = kind is list and isinstance(value, list) and not all(isinstance(item, str) for item in value)
        if not isinstance(value, kind) or isinstance(value, bool) or wrong_items:
            yield field, f"is not {KINDS[kind]}", f"write it as {KINDS[kind]}"
        elif labels is None:
            continue
        elif kind is int:
            if value not in range(len(labels.severity)):
                yield field, f"not in 0..{len(labels.severity) - 1}", "mend the row"
        else:
            names: tuple[str, ...] = getattr(labels, head)
            for item in (item for item in texts if item not in names):
                known = ", ".join(names) or "none, the head is off"
                yield field, f"{item!r} is not a label of this head: {known}", "mend the row or the config's labels"


def _at(raw: dict[str, Any], field: str) -> Any:
    head, _, rest = field.partition(".")
    return raw.get(head) if not rest else raw[head].get(rest)


def _clipped(value: Any) -> str:
    shown = value if isinstance(value, str) else repr(value)
    return shown if len(shown) <= VALUE_CHARS_MAX else shown[: VALUE_CHARS_MAX - 1] + "…"
