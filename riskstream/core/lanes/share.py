"""Whose turn it is on the model, where one kind of work may take only a share of its time.

    scoring      ████████░░░░████████░░░░
    explaining   ░░░░░░░░▓▓▓▓░░░░░░░░▓▓▓▓

Rule 1. While both wait, the guest owes 1 / share - 1 seconds of scoring for each second that it took.
Rule 2. While the host waits for nothing, nothing is owed.
"""

from __future__ import annotations


class Share:
    """`share` is the part of the model's time, above 0 and up to 1, that the guest may take from a busy host."""

    def __init__(self, share: float) -> None:
        self._owed_per_s = 1 / share - 1
        self._owed_s = 0.0

    def took(self, seconds: float) -> None:
        """The guest had the model for so long."""
        self._owed_s += seconds * self._owed_per_s

    def gave(self, seconds: float) -> None:
        """The host had the model for so long."""
        self._owed_s = max(0.0, self._owed_s - seconds)

    def may(self, *, host_waits: bool) -> bool:
        """Whether the guest may have the model now. A host that waits for nothing is owed nothing."""
        if not host_waits:
            self._owed_s = 0.0
        return self._owed_s <= 0.0
