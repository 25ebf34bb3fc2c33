"""The life of one rule on one subject: when what it sees becomes an alert, and when the alert is over.

             held                held for `for_ms`
    idle ───────────► pending ────────────────────► firing ◄─┐ held again within `keep_ms`: nothing happened
     ▲  ◄───────────                                  │  └────┘
     │     not held                                   │ not held for `keep_ms`
     │                 `cooling_ms` over              ▼
     └──────────────────────────────────────────── cooling

Rule 1. A gap while pending starts the wait again; a gap while firing that is shorter than `keep_ms` resolves nothing.
Rule 2. Nothing fires while cooling; what is held when it ends goes to pending at once.
Rule 3. A duration of 0 passes in the same step.
Rule 4. `streak` counts the episodes that followed each other closely: each cools `backoff` times as long as the one
        before, up to `cooldown_ms_max`. It is forgotten after as long again without an alert.
Rule 5. What `held` means is the caller's: below firing that the rule trips, while firing that it has not cleared.
"""

from __future__ import annotations

import msgspec

from riskstream.core.records import Life


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """How long: before it fires, through a gap, after it resolved, and how the last one grows. Milliseconds."""

    for_ms: int = 0
    keep_ms: int = 0
    cooldown_ms: int = 0
    backoff: float = 1.0
    cooldown_ms_max: int = 0

    def cooling_ms(self, streak: int) -> int:
        """How long nothing fires after the episode that is number `streak` of its kind."""
        if self.backoff == 1 or streak <= 1:
            return self.cooldown_ms
        grown = self.cooldown_ms * self.backoff ** min(streak - 1, 64)
        return round(min(grown, self.cooldown_ms_max))


IDLE = Life()


def step(life: Life, hold: Hold, *, held: bool, now_ms: int) -> Life:
    """The life after being judged at `now_ms`. Time never goes back from one call to the next."""
    match life.phase, held:
        case "idle", _ if life.streak and now_ms - life.since_ms >= hold.cooling_ms(life.streak):
            return step(IDLE, hold, held=held, now_ms=now_ms)
        case "idle", True:
            return step(Life("pending", now_ms, streak=life.streak), hold, held=True, now_ms=now_ms)
        case "pending", True if now_ms - life.since_ms >= hold.for_ms:
            return Life("firing", now_ms, streak=life.streak)
        case "pending", False:
            return Life("idle", life.since_ms, streak=life.streak) if life.streak else IDLE
        case "firing", True:
            return Life("firing", life.since_ms, streak=life.streak) if life.gap_since_ms is not None else life
        case "firing", False:
            gap_since_ms = now_ms if life.gap_since_ms is None else life.gap_since_ms
            if now_ms - gap_since_ms < hold.keep_ms:
                return Life("firing", life.since_ms, gap_since_ms, life.streak)
            return step(Life("cooling", now_ms, streak=life.streak + 1), hold, held=False, now_ms=now_ms)
        case "cooling", _ if now_ms - life.since_ms >= hold.cooling_ms(life.streak):
            rested = Life("idle", now_ms, streak=life.streak) if hold.backoff > 1 else IDLE
            return step(rested, hold, held=held, now_ms=now_ms)
    return life


def ended(life: Life, *, now_ms: int) -> Life:
    """The life of an alert that is over at once, whatever it sees."""
    return Life("cooling", now_ms, streak=life.streak + 1)


def due_ms(life: Life, hold: Hold) -> int | None:
    """When the life wants to be judged again even if nothing happens; None for never."""
    match life.phase:
        case "pending":
            return life.since_ms + hold.for_ms
        case "firing":
            return None if life.gap_since_ms is None else life.gap_since_ms + hold.keep_ms
        case "cooling":
            return life.since_ms + hold.cooling_ms(life.streak)
        case "idle":
            return life.since_ms + hold.cooling_ms(life.streak) if life.streak else None
