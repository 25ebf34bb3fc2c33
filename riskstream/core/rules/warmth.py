"""Since when a lane has history for a rule, and of which model: what `warm_up_s` counts from.

    first signal of the lane ─► since            another model speaks ─► since = now: warm up again

Rule 1. History belongs to the lane and not to the subject: the first text ever about a quiet firm is new, provided that
        we have been listening for long enough.
Rule 2. A rule that is added or changed begins with as much history as the lane remembers.
"""

from __future__ import annotations

import msgspec


class Warm(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule's history as it is kept: of which version of the rule, of which model, since when."""

    version: str
    model: str = ""
    since_ms: int | None = None


class Warmth:
    """One rule's history in one lane. `needs_ms` is the rule's `warm_up_s`."""

    __slots__ = ("model", "needs_ms", "since_ms", "version")

    def __init__(self, version: str, needs_ms: int) -> None:
        self.version, self.needs_ms = version, needs_ms
        self.model = ""
        self.since_ms: int | None = None

    def hear(self, model: str, now_ms: int) -> None:
        """A signal of this model comes at `now_ms`."""
        if self.since_ms is None or (model != self.model and self.model):
            self.since_ms = now_ms
        self.model = model

    @property
    def ready_ms(self) -> int | None:
        """From when the rule may speak; None while nothing was heard."""
        return None if self.since_ms is None else self.since_ms + self.needs_ms

    def ready(self, now_ms: int) -> bool:
        """The rule may speak."""
        return self.since_ms is not None and now_ms >= self.since_ms + self.needs_ms

    def save(self) -> Warm:
        """What must be kept."""
        return Warm(self.version, self.model, self.since_ms)

    def restore(self, warm: Warm | None) -> None:
        """Go on from what was kept, if that is of this version of the rule."""
        if warm is not None and warm.version == self.version:
            self.model, self.since_ms = warm.model, warm.since_ms
