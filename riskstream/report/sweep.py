"""One key of one rule, tried at many values: `entity-risk.limits.watch=0.5:0.9:0.1`.

    rules.toml ─ for each value: the key set ─► rules' text ─► replay ─► Point(value, alerts a day, stories caught)

A sweep of a model's scores costs seconds, since the signals are made once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import tomli_w

from riskstream.core.errors import OperatorError
from riskstream.report.episodes import Episode
from riskstream.report.stories import Judged

POINTS_MAX = 100
_FORM = re.compile(r"(?P<rule>[a-z0-9-]+)\.(?P<key>[\w.]+)=(?P<from>[^:]+):(?P<to>[^:]+):(?P<step>[^:]+)")
_FIX = "write RULE.KEY=FROM:TO:STEP, for example entity-risk.limits.watch=0.5:0.9:0.1"


class Sweep(msgspec.Struct, frozen=True):
    """What to try."""

    rule: str
    key: tuple[str, ...]
    values: tuple[float, ...]


class Point(msgspec.Struct, frozen=True):
    """What one value gives. Stories are None where no file of stories was given."""

    value: float
    alerts: int
    alerts_a_day: float
    material_or_worse: int
    stories_caught: int | None = None
    stories: int | None = None
    strays: int | None = None


def read_sweep(text: str) -> Sweep:
    """What `--sweep` says. Raises OperatorError where it is not of the form, or asks for too many values."""
    form = _FORM.fullmatch(text)
    try:
        first, last, step = (Decimal(form[name]) for name in ("from", "to", "step")) if form else (None, None, None)
    except InvalidOperation:
        form = None
    if form is None or first is None or last is None or step is None:
        raise OperatorError("--sweep", text, "is not of the form RULE.KEY=FROM:TO:STEP", _FIX)
    if not (first.is_finite() and last.is_finite() and step.is_finite() and step > 0 and last >= first):
        raise OperatorError("--sweep", text, "does not rise from FROM to TO", _FIX)
    count = int((last - first) / step) + 1
    if count > POINTS_MAX:
        raise OperatorError("--sweep", text, f"asks for {count} values", f"take a larger step: at most {POINTS_MAX}")
    values = tuple(float(first + step * at) for at in range(count))
    return Sweep(form["rule"], tuple(form["key"].split(".")), values)


def with_value(rules: str, sweep: Sweep, value: float) -> str:
    """The rules' text with the key set. Raises OperatorError for a rule or a table that is not there."""
    document: dict[str, Any] = tomllib.loads(rules)
    sections = document.get("rule", [])
    found = next((section for section in sections if section.get("name") == sweep.rule), None)
    if found is None:
        names = ", ".join(str(section.get("name")) for section in sections)
        raise OperatorError("--sweep", sweep.rule, "is not a rule of the file", f"choose one of: {names}")
    *tables, key = sweep.key
    for name in tables:
        found = found.get(name)
        if not isinstance(found, dict):
            raise OperatorError("--sweep", ".".join(sweep.key), f"{name!r} is no table of the rule", _FIX)
    if key not in found:
        keys = ", ".join(name for name, held in found.items() if isinstance(held, int | float))
        raise OperatorError("--sweep", key, "is not a key that the rule has", f"choose one of: {keys or 'none'}")
    found[key] = int(value) if isinstance(found[key], int) and value.is_integer() else value
    return tomli_w.dumps(document)


def point(value: float, episodes: Sequence[Episode], days: float, judged: Judged | None, stories: int) -> Point:
    """What one value gave over so many days."""
    worse = sum(episode.highest != "watch" for episode in episodes)
    rate = round(len(episodes) / max(days, 1e-9), 2)
    if judged is None:
        return Point(value, len(episodes), rate, worse)
    return Point(value, len(episodes), rate, worse, judged.caught, stories, len(judged.strays))
