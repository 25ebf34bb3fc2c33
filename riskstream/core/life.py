"""The life of one rule on one subject: when what it sees becomes an alert, and when the alert is over.

             held                held for `for_ms`
    idle ───────────► pending ────────────────────► firing ◄─┐ held again within `keep_ms`: nothing happened
     ▲  ◄───────────                                  │  └────┘
     │     not held                                   │ not held for `keep_ms`
     │                 `cooldown_ms` over             ▼
     └──────────────────────────────────────────── cooling

Rule 1. A gap while pending starts the wait again; a gap while firing that is shorter than `keep_ms` resolves nothing.
Rule 2. Nothing fires while cooling; what is held when it ends goes to pending at once.
Rule 3. A duration of 0 passes in the same step.
Rule 4. What `held` means is the caller's: below firing that the rule trips, while firing that it has not cleared.
"""

from __future__ import annotations

import msgspec

from riskstream.core.records import Life


class Hold(msgspec.Struct, frozen=True):
    """How long: before it fires, through a gap, after it resolved. Milliseconds."""

    for_ms: int = 0
    keep_ms: int = 0
    cooldown_ms: int = 0


IDLE = Life()


def step(life: Life, hold: Hold, *, held: bool, now_ms: int) -> Life:
    """The life after being judged at `now_ms`. Time never goes back from one call to the next."""
    match life.phase, held:
        case "idle", True:
            return step(Life("pending", now_ms), hold, held=True, now_ms=now_ms)
        case "pending", True if now_ms - life.since_ms >= hold.for_ms:
            return Life("firing", now_ms)
        case "pending", False:
            return IDLE
        case "firing", True:
            return Life("firing", life.since_ms) if life.gap_since_ms is not None else life
        case "firing", False:
            gap_since_ms = now_ms if life.gap_since_ms is None else life.gap_since_ms
            if now_ms - gap_since_ms < hold.keep_ms:
                return Life("firing", life.since_ms, gap_since_ms)
            return step(Life("cooling", now_ms), hold, held=False, now_ms=now_ms)
        case "cooling", _ if now_ms - life.since_ms >= hold.cooldown_ms:
            return step(IDLE, hold, held=held, now_ms=now_ms)
    return life


def due_ms(life: Life, hold: Hold) -> int | None:
    """When the life wants to be judged again even if nothing happens; None for never."""
    match life.phase:
        case "pending":
            return life.since_ms + hold.for_ms
        case "firing":
            return None if life.gap_since_ms is None else life.gap_since_ms + hold.keep_ms
        case "cooling":
            return life.since_ms + hold.cooldown_ms
        case "idle":
            return None
