"""A library that says the same thing again and again is heard once a minute, with how often it said it.

    line ─► said within the last minute? ─┬─ no  ─► written, with "(373 more like it left out)"
                                          └─ yes ─► counted

While all brokers are away the Kafka client writes a hundred lines a second, and the one that matters drowns in them.
Lines are alike where they come from the same place with the same words; what is filled in may differ.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence

PERIOD_S = 60.0
KINDS_MAX = 500
"""Kinds of lines that are remembered; the client has some two hundred."""


class Repeats(logging.Filter):
    """For a handler: thins out the lines of these libraries, and touches no other."""

    def __init__(self, libraries: Sequence[str]) -> None:
        super().__init__()
        self._libraries = frozenset(libraries)
        self._said: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if record.name.partition(".")[0] not in self._libraries:
            return True
        kind = (record.name, record.lineno, str(record.msg))
        said_s, more = self._said.get(kind, (0.0, 0))
        if said_s and record.created - said_s < PERIOD_S:
            self._said[kind] = (said_s, more + 1)
            return False
        self._said[kind] = (record.created, 0)
        self._said.move_to_end(kind)
        if len(self._said) > KINDS_MAX:
            self._said.popitem(last=False)
        if more:
            record.msg, record.args = f"{record.getMessage()} ({more} more like it left out)", None
        return True
