"""Signals that were published then, beside those that a model gives now: the alerts of both, and how scores moved.

    signals of then ─┬─ by document, text and entity: how it came, what it scored ─► today's signal comes as that did
                     └─ the same rules ─► the alerts that there were ─► compared with today's

Rule 1. The rules are the same on both sides, and so are the times of what both have: what differs is the model.
Rule 2. A text that only one side has is counted, and counts for its side.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from riskstream.core.records import Alert, Signal
from riskstream.core.watching.desk import Desk
from riskstream.service.commands import replay, rows

HALF = 0.5
"""Where a score says rather yes than no; `riskstream evaluate` has the thresholds of a version."""


class _Came(NamedTuple):
    """How a text came then, and what it scored."""

    appended_ms: int
    received_at: str
    late: bool
    clamped: bool
    risk_score: float


class Then:
    """The signals of then, from a file, and an `engine` of their own. Raises OperatorError for a line that is none."""

    def __init__(self, path: Path, engine: Desk) -> None:
        self._path, self._engine = path, engine
        self._known = {_key(signal): _came(signal, appended_ms) for signal, appended_ms in self._read()}
        self._both = set[tuple[str, str, str]]()
        self._risen = self._fallen = self._only_now = 0
        self._moved = 0.0

    def as_then(self, signal: Signal, appended_ms: int) -> tuple[Signal, int]:
        """A signal of today as the same text came then, and when; as it is where that did not come."""
        key = _key(signal)
        came = self._known.get(key)
        if came is None:
            self._only_now += 1
            return signal, appended_ms
        if key not in self._both:
            self._both.add(key)
            self._moved += abs(signal.risk_score - came.risk_score)
            self._risen += came.risk_score < HALF <= signal.risk_score
            self._fallen += signal.risk_score < HALF <= came.risk_score
        arrived = msgspec.structs.replace(signal, received_at=came.received_at, late=came.late, clamped=came.clamped)
        return arrived, came.appended_ms

    @property
    def alerts(self) -> list[Alert]:
        """The alerts that these signals make. To be asked for once."""
        return list(replay.alerts_of(self._read(), self._engine, replay.Tally()))

    def line(self) -> str:
        """One line for a person."""
        both = len(self._both)
        mean = self._moved / both if both else 0.0
        return (
            f"{both} signals then and now: risk_score differs by {mean:.4f} on average, {self._risen} rise to "
            f"{HALF:g} or above, {self._fallen} fall below it; {len(self._known) - both} only then, "
            f"{self._only_now} only now"
        )

    def _read(self) -> Iterator[tuple[Signal, int]]:
        return replay.saved_signals(rows.lines((self._path,)), str(self._path), "--compare")


def _came(signal: Signal, appended_ms: int) -> _Came:
    return _Came(appended_ms, signal.received_at, signal.late, signal.clamped, signal.risk_score)


def _key(signal: Signal) -> tuple[str, str, str]:
    return signal.document_id, signal.fingerprint, signal.entity.id
