"""Signals that were published then, beside those that a model gives now: the alerts of both, and how scores moved.

    signals of then ─┬─ by document, text and entity: when it came, what it scored ─► today's signal comes when that did
                     └─ the same rules ─► the alerts that there were ─► compared with today's

Rule 1. The rules are the same on both sides, and so are the times of what both have: what differs is the model.
Rule 2. A text that only one side has is counted, and counts for its side.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from riskstream.core.desk import Desk
from riskstream.core.records import Alert, Signal
from riskstream.service import replay, rows

HALF = 0.5
"""Where a score says rather yes than no; `riskstream evaluate` has the thresholds of a version."""


class Then:
    """The signals of then, from a file, and an `engine` of their own. Raises OperatorError for a line that is none."""

    def __init__(self, path: Path, engine: Desk) -> None:
        self._path, self._engine = path, engine
        self._known = {_key(signal): (appended_ms, signal.risk_score) for signal, appended_ms in self._read()}
        self._both = set[tuple[str, str, str]]()
        self._risen = self._fallen = self._only_now = 0
        self._moved = 0.0

    def came_ms(self, signal: Signal, appended_ms: int) -> int:
        """When the same text came then; `appended_ms` where it did not."""
        key = _key(signal)
        if key not in self._known:
            self._only_now += 1
            return appended_ms
        came_ms, score = self._known[key]
        if key in self._both:
            return came_ms
        self._both.add(key)
        self._moved += abs(signal.risk_score - score)
        self._risen += score < HALF <= signal.risk_score
        self._fallen += signal.risk_score < HALF <= score
        return came_ms

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


def _key(signal: Signal) -> tuple[str, str, str]:
    return signal.document_id, signal.fingerprint, signal.entity.id
