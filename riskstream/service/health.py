"""What the daemon would say if it were asked how it is: named conditions with reasons.

    a part ── set("model", False, "loading") ──► Health ──┬── ready(now_ms)  may work come here?
    watch_loop ── beat(now_ms) ───────────────►           └── live(now_ms)   would a restart help?

Rule 1. Not ready is normal (starting, restoring, draining). Not live means that only a restart helps.
Rule 2. A loop that is blocked cannot answer; one that was blocked says so until it beats again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import LoopLag

LOOP_SILENT_MS_MAX = 30_000
"""Twice the Kafka session: a loop that was silent for longer has lost its partitions anyway."""
BEAT_S = 1.0


class Health:
    """The conditions of one daemon. The caller tells the time, in milliseconds that never go back."""

    def __init__(self, loop_silent_ms_max: int = LOOP_SILENT_MS_MAX) -> None:
        self._loop_silent_ms_max = loop_silent_ms_max
        self._reasons: dict[str, str] = {}
        self._deaths: dict[str, str] = {}
        self._beat_ms: int | None = None
        self._changed = asyncio.Event()

    def set(self, name: str, ok: bool, reason: str = "") -> None:
        """A condition holds, or does not and why. A condition that was never set does not count."""
        self._reasons[name] = "" if ok else reason or "not ready"
        self._changed.set()

    def dead(self, name: str, reason: str) -> None:
        """A part is gone for good (the model's thread, say): neither ready nor live until the process is restarted."""
        self._deaths[name] = reason

    def beat(self, now_ms: int) -> None:
        """The event loop ran."""
        self._beat_ms = now_ms

    def why_not(self, name: str) -> str:
        """Why a condition does not hold; empty where it holds or was never set."""
        return self._deaths.get(name) or self._reasons.get(name, "")

    def live(self, now_ms: int | None = None) -> tuple[bool, dict[str, str]]:
        """Whether the process can go on, and each thing that keeps it from that. Without a time the loop is trusted."""
        broken = dict(self._deaths)
        if now_ms is not None and self._beat_ms is not None and now_ms - self._beat_ms > self._loop_silent_ms_max:
            broken["loop"] = f"the event loop was silent for {(now_ms - self._beat_ms) / 1000:.1f} s"
        return not broken, broken

    def ready(self, now_ms: int | None = None) -> tuple[bool, dict[str, str]]:
        """Whether every condition holds, and each with `ok` or its reason. False before the first condition is set."""
        _, broken = self.live(now_ms)
        conditions = {**self._reasons, "loop": "", **broken}
        ready = bool(self._reasons) and not any(conditions.values())
        return ready, {name: reason or "ok" for name, reason in sorted(conditions.items())}

    async def until(self, names: Collection[str]) -> None:
        """Return once each of these conditions has been set and holds."""
        while any(self._reasons.get(name) != "" for name in names):
            self._changed.clear()
            await self._changed.wait()

    async def watch_loop(self, telemetry: Telemetry, period_s: float = BEAT_S) -> None:
        """Beat every `period_s` and report how late each beat came, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            self.beat(round(asked * 1000))
            await asyncio.sleep(period_s)
            telemetry.emit(LoopLag(max(0.0, loop.time() - asked - period_s)))
