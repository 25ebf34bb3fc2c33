"""Where a producer keeps a field: `$.body.content`, `$.items[0].text`, `$["published.at"]`.

Three steps, no more: `.name`, `[number]` (from the end where negative) and `["any name"]`. A path is compiled once, at
load, so that a wrong one is the operator's error and not the first document's.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from riskstream.core.errors import OperatorError

_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]"'\s]+)|\[(?P<index>-?\d{1,6})\]|\[(?P<quote>["'])(?P<quoted>.*?)(?P=quote)\]"""
)

Step = str | int


class Absent(msgspec.Struct, frozen=True):
    """What a path finds where there is nothing; not the same as a null."""


ABSENT = Absent()


def compile_path(thing: str, path: str) -> tuple[Step, ...]:
    """The steps of a path. `thing` names the setting for the operator, should the path be wrong."""
    steps: list[Step] = []
    at = 1
    while path.startswith("$") and at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            break
        if found["index"] is not None:
            steps.append(int(found["index"]))
        else:
            steps.append(found["name"] if found["name"] is not None else found["quoted"])
        at = found.end()
    if not steps or at < len(path):
        problem = "it does not begin with '$'" if not path.startswith("$") else f"cannot read {path[at:]!r}"
        raise OperatorError(thing, path, problem, "write a path such as '$.body.content' or '$.items[0].text'")
    return tuple(steps)


def follow(value: Any, steps: tuple[Step, ...]) -> Any:
    """What lies at the end of the path, or `ABSENT`."""
    for step in steps:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return ABSENT
        elif not isinstance(value, list) or not -len(value) <= step < len(value):
            return ABSENT
        value = value[step]
    return value
