"""Which files are in force: what happened to them, and the two gauges that say so.

    ConfigLoaded ─► config_hash{kind,hash} = 1, config_refused{kind} = 0
    ConfigRefused ─► config_refused{kind} = 1, and the hash stays

Rule 1. `config_refused` is a gauge and not a count: it stands for as long as a process that starts now would not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
from prometheus_client import Gauge

ConfigKind = Literal["settings", "rules", "watchlist"]


class ConfigLoaded(msgspec.Struct, frozen=True):
    """A configuration file took effect. `hash` is short: enough to compare two pods."""

    kind: ConfigKind
    hash: str
    path: str = ""


class ConfigRefused(msgspec.Struct, frozen=True):
    """A changed configuration file is wrong; the one before it goes on."""

    kind: ConfigKind
    path: str
    detail: str


class ConfigMetrics:
    """The series of these events. `gauge` makes one in the daemon's registry."""

    def __init__(self, gauge: Callable[..., Gauge]) -> None:
        self._hash = gauge("config_hash")
        self._refused = gauge("config_refused")

    def apply(self, event: ConfigLoaded | ConfigRefused) -> None:
        """One of its events."""
        self._refused.labels(event.kind).set(isinstance(event, ConfigRefused))
        if isinstance(event, ConfigLoaded):
            self._hash.remove_by_labels({"kind": event.kind})
            self._hash.labels(event.kind, event.hash).set(1)
