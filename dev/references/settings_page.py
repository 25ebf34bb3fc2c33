"""`docs/configuration.md`: every setting under a heading of its own, so that a link can lead to it."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dev.references.settings_file import toml
from riskstream.settings import ENV_PREFIX, RISING, Settings

HEAD = """\
# Configuration

Every setting, as `riskstream run --config FILE` reads it. Written by `make docs` from `riskstream/sections/`; a test
holds the two together. [`config/riskstream.toml`](../config/riskstream.toml) says the same as a file to start from,
and is what is read where no `--config` is given.

Environment variables stand above the file, one for each key; a list or a table is given as JSON
(`RISKSTREAM_OVERLOAD__SHED_KINDS='["social"]'`, all feeds together as `RISKSTREAM_FEED`). Secrets are never values:
they stand in files, which settings such as `http.token_file` name. Relative paths count from the directory that the
daemon is started in.

An unknown key, a value out of its range, or time-outs that do not fit each other stop the start with exit code 2 and a
line that names the key, its value and the fix. `riskstream doctor` says the same without starting. What must rise, from
left to right:

"""
TYPES = {int: "integer", float: "number", str: "text", bool: "`true` or `false`", Path: "path"}
UNITS = {
    "ms": "milliseconds",
    "s": "seconds",
    "d": "days",
    "bytes": "bytes",
    "tokens": "tokens",
    "records": "records",
    "rows": "rows",
}


def text() -> str:
    """The whole page."""
    plain = [_setting("", name, field) for name, field in Settings.model_fields.items() if not _table_of(field)]
    tables = [_section(name, field) for name, field in Settings.model_fields.items() if _table_of(field)]
    rising = "".join(f"- {', '.join(f'`{name}`' for name in chain)}\n" for chain in RISING)
    return HEAD + rising + "\n## At the top\n" + "".join(plain) + "".join(tables)


def _table_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field holds, or that its tables are."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _section(name: str, field: FieldInfo) -> str:
    section = _table_of(field)
    assert section is not None
    many = get_origin(field.annotation) is tuple
    title = f"[[{name}]]" if many else f"[{name}]"
    told = " ".join((section.__doc__ or "").split())
    settings = "".join(_setting(name, key, inner, many=many) for key, inner in section.model_fields.items())
    return f"\n## `{title}`\n\n{told}\n{settings}"


def _setting(section: str, key: str, field: FieldInfo, *, many: bool = False) -> str:
    name = f"{section}.{key}" if section else key
    told = " ".join((field.description or "").split())
    default = "must be given" if field.is_required() else f"default {_default(field.default)}"
    facts = [", ".join([_type(field.annotation), *_unit(key, field), *_limits(field)]), default]
    if not many:
        facts.append(f"`{ENV_PREFIX}{name.replace('.', '__').upper()}`")
    return f"\n### `{name}`\n\n{told}\n\n{' · '.join(facts)}\n"


def _default(value: Any) -> str:
    if value is None:
        return "not set"
    return f"`{toml(value)}`" if value is not PydanticUndefined else "none"


def _type(kind: Any) -> str:
    if kind in TYPES:
        return TYPES[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(f'`"{choice}"`' for choice in inner)
    if origin is tuple:
        return f"list, each {_type(inner[0])}"
    if origin is dict:
        return f"table, each {_type(inner[1])}"
    if origin is types.UnionType:
        return _type(next(part for part in inner if part is not types.NoneType))
    return _type(inner[0])  # Annotated, whose limits pydantic keeps for values inside a table


def _unit(key: str, field: FieldInfo) -> list[str]:
    words = [word for word in key.split("_") if word not in ("max", "min")]
    if field.annotation not in (int, float):
        return []
    if words[-2:] == ["per", "s"]:
        return ["a second"]
    return [UNITS[words[-1]]] if words[-1] in UNITS else []


def _limits(field: FieldInfo) -> list[str]:
    told = []
    for limit in field.metadata:
        match limit:
            case annotated_types.Ge(ge=least):
                told.append(f"at least {least}")
            case annotated_types.Gt(gt=below):
                told.append(f"above {below}")
            case annotated_types.Le(le=most):
                told.append(f"at most {most}")
            case annotated_types.MaxLen(max_length=most):
                told.append(f"at most {most} characters")
            case annotated_types.MinLen():
                told.append("not empty")
    return told
