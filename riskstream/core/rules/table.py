"""Reads one table of a rule file, key by key, and collects what is wrong with it.

    Table(where, values, mistakes) ── text / number / seconds / texts / … ──► the value, or its default
                                   └─ finish() ──► every key that nobody asked for is a mistake, with a suggestion

Rule 1. A mistake is noted and a harmless value returned, so that one pass finds all mistakes.
Rule 2. Every mistake names the file, the rule, the key, the value and what to do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any

from riskstream.core.errors import OperatorError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_MAX = 31 * 86_400
"""Windows and waits are at most 31 days: what they cover is held in memory."""


class Table:
    """One table. `where` names the file and the rule; `prefix` the keys above, as in `match.`."""

    def __init__(self, where: str, values: Mapping[str, Any], mistakes: list[OperatorError], prefix: str = "") -> None:
        self.where, self.values, self.mistakes, self.prefix = where, values, mistakes, prefix
        self._asked: set[str] = set()

    @property
    def asked(self) -> frozenset[str]:
        """The keys that were asked for so far: those that this table may have."""
        return frozenset(self._asked)

    def has(self, key: str) -> bool:
        """The key is there."""
        self._asked.add(key)
        return key in self.values

    def wrong(self, key: str, problem: str, fix: str) -> None:
        """Note a mistake of a key."""
        value = self.values.get(key)
        self.mistakes.append(OperatorError(f"{self.where}: {self.prefix}{key}", value, problem, fix))

    def text(self, key: str, default: str | None = None, among: Sequence[str] = ()) -> str:
        """A text that is not empty, one of `among` if that is given. Without a default the key must be there."""
        if not self.has(key):
            if default is None:
                self.wrong(key, "is missing", f"add {key}" + (f", one of {', '.join(among)}" if among else ""))
            return default or ""
        value = self.values[key]
        if not isinstance(value, str) or not value:
            self.wrong(key, "is not a text", f'write {key} = "…"')
            return default or ""
        if among and value not in among:
            self.wrong(key, "is not known", suggest(value, among))
            return default or ""
        return value

    def number(self, key: str, default: float | None = None, *, least: float, most: float = math.inf) -> float:
        """A finite number from `least` to `most`."""
        if not self.has(key):
            if default is None:
                self.wrong(key, "is missing", f"add {key} = a number")
            return least if default is None else default
        value = self.values[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.wrong(key, "is not a number", f"write {key} = a number without quotes")
        elif not least <= value <= most:
            span = f"from {_plain(least)} to {_plain(most)}" if math.isfinite(most) else f"of at least {_plain(least)}"
            self.wrong(key, "is out of range", f"use a number {span}")
        else:
            return float(value)
        return least if default is None else default

    def count(self, key: str, default: int, *, least: int = 1) -> int:
        """A whole number of at least `least`."""
        value = self.number(key, float(default), least=least)
        if value != int(value):
            self.wrong(key, "is not a whole number", f"use {math.ceil(value)}")
        return int(value)

    def seconds(self, key: str, default: float | None = None, *, least: float = 0) -> int:
        """A duration in seconds, given back in milliseconds."""
        return round(self.number(key, default, least=least, most=SECONDS_MAX) * 1000)

    def texts(self, key: str, among: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts that is not empty, sorted, each once; () where the key is not there."""
        if not self.has(key):
            return ()
        value = self.values[key]
        if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
            self.wrong(key, "is not a list of texts", f'write {key} = ["…"], or leave {key} out to take all')
            return ()
        for item in value:
            if among and item not in among:
                self.wrong(key, f"holds {item!r}, which is not known", suggest(item, among))
        return tuple(sorted(set(value)))

    def moment(self, key: str) -> int:
        """A time in milliseconds: a TOML date-time with an offset, or the same as text."""
        value = self.values.get(key) if self.has(key) else None
        if value is None:
            self.wrong(key, "is missing", f"add {key} = 2026-03-09T18:00:00Z")
            return 0
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            moment = None
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            self.wrong(key, "is not a time with its offset", f"write {key} = 2026-03-09T18:00:00Z")
            return 0
        return (moment - _EPOCH) // timedelta(milliseconds=1)

    def sections(self, key: str) -> list[Table]:
        """The tables of a `[[key]]` that may be missing; mistakes name them by their number."""
        value = self.values.get(key, []) if self.has(key) else []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.wrong(key, "is not a list of tables", f"write each as [[{key}]]")
            return []
        return [
            Table(f"{self.where}: {key} number {number}", item, self.mistakes)
            for number, item in enumerate(value, start=1)
        ]

    def table(self, key: str) -> Table:
        """A table within this one; empty where the key is not there."""
        value = self.values[key] if self.has(key) else {}
        if not isinstance(value, dict):
            self.wrong(key, "is not a table", f"write {key} = {{ … = … }}")
            value = {}
        return Table(self.where, value, self.mistakes, f"{self.prefix}{key}.")

    def tables(self, key: str, *, least: int, most: int) -> list[Table]:
        """A list of `least` to `most` tables; [] where it is not one."""
        value = self.values.get(key) if self.has(key) else None
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.wrong(key, "is not a list of tables", f"write {key} = [{{ … = … }}, {{ … = … }}]")
            return []
        if not least <= len(value) <= most:
            self.wrong(key, f"holds {len(value)} tables", f"give {least} to {most} of them")
        return [
            Table(self.where, item, self.mistakes, f"{self.prefix}{key}[{number}].")
            for number, item in enumerate(value, start=1)
        ]

    def finish(self) -> None:
        """Note every key that was not asked for."""
        for key in self.values:
            if key not in self._asked:
                self.wrong(key, "is not a key that riskstream knows", suggest(key, sorted(self._asked)))


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"


def suggest(value: str, among: Sequence[str]) -> str:
    """What to write in place of an unknown name."""
    close = get_close_matches(value, among, n=1)
    return f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(among)}"
