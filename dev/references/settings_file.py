"""`config/riskstream.toml`: every setting as a comment with its default, and the feeds to begin with."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from riskstream.settings import Settings

HEAD = """\
# The settings of riskstream. Each line that is commented out shows the default.
# The environment stands above this file: RISKSTREAM_KAFKA__BOOTSTRAP_SERVERS=broker:9092
# Relative paths count from the directory that the daemon is started in.
# Written by `make docs` from the code; a test holds the two together.
"""
FEEDS = """
[[feed]]
name = "news"
topic = "feeds.news"
kind = "news"

[[feed]]
name = "social"
topic = "feeds.social"
kind = "social"
weight = 0.5
"""

SINKS = """
#[[sink]]
#name = "desk"
#kind = "alertmanager"
#url = "http://alertmanager:9093"
"""
EXAMPLES = {"feed": FEEDS, "sink": SINKS}


def text() -> str:
    """The whole file."""
    parts = [HEAD]
    tables = []
    for name, field in Settings.model_fields.items():
        if name in EXAMPLES:
            tables.append(_array(name, field))
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            lines = [_comment(field.annotation.__doc__), f"[{name}]"]
            lines += [_setting(key, inner) for key, inner in field.annotation.model_fields.items()]
            tables.append("\n".join(lines))
        else:
            parts.append(_setting(name, field))
    return "\n".join(parts) + "\n\n" + "\n\n".join(tables) + "\n"


def _array(name: str, field: FieldInfo) -> str:
    (model, _) = field.annotation.__args__  # type: ignore[union-attr]
    lines = [_comment(model.__doc__), _comment(f"Each [[{name}]] may hold:")]
    lines += [_setting(key, inner, indent="#   ") for key, inner in model.model_fields.items()]
    return "\n".join(lines) + "\n" + EXAMPLES[name].rstrip()


def _setting(key: str, field: FieldInfo, indent: str = "") -> str:
    value = f"{key} = {toml(field.default)}" if not field.is_required() else f"{key} = …   (must be given)"
    text = textwrap.wrap(f"{field.description}", 110 - len(indent))
    if indent:
        return "\n".join([f"{indent}{value}", *(f"{indent}    {line}" for line in text)])
    return "\n".join([*(f"# {line}" for line in text), f"#{value}"])


def _comment(text: str | None) -> str:
    return "\n".join(f"# {line}" for line in textwrap.wrap(" ".join((text or "").split()), 110))


def toml(value: Any) -> str:
    """A value as a settings file has it."""
    if value is None:
        return '"…"   (not set)'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{}"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
