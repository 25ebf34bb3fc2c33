"""What a subject has heard: its texts by story, and whether the talk behind its alerts is settled as false.

    signal ─ place() ─► Placed ─ remembered with the text ─► settles() / overturns() ─► Settled, kept in the state

It is rebuilt from the texts that the subject remembers, in their order, and from the one record of `Settled`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from riskstream.core.records import Signal
from riskstream.core.rules.denial import Heard, Settled, confirms, is_overturned, is_settled, may_settle
from riskstream.core.rules.novelty import Placed, Stories, alone
from riskstream.core.rules.rule import Taker


class Remembered(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One arrival, at `seen_ms` on the lane's clock. Without a `signal` it is a repeated or replaced document, of which
    only the place (`seen_id`) is remembered. `placed` was decided at the arrival, None for a story of its own."""

    sequence: int
    seen_ms: int
    event_ms: int = 0
    signal: Signal | None = None
    seen_id: str = ""
    placed: Placed | None = None

    @property
    def signal_id(self) -> str:
        """Where it came from."""
        return self.signal.signal_id if self.signal is not None else self.seen_id

    def story(self, signal: Signal) -> Placed:
        """Where the text of its signal stands."""
        return self.placed or alone(signal, self.event_ms)


class Talk:
    """The stories of one subject, and what of it is settled."""

    __slots__ = ("settled", "stories")

    def __init__(self) -> None:
        self.stories = Stories()
        self.settled: Settled | None = None

    def remember(self, arrival: Remembered) -> None:
        """One text more, in the order of arrival."""
        if arrival.signal is not None:
            self.stories.add(arrival.sequence, arrival.signal, arrival.story(arrival.signal))

    def enters(self, arrival: Remembered, taker: Taker) -> bool:
        """Whether a text counts for a rule: not if it is settled, nor if it tells again what is."""
        settled, hold_ms = self.settled, taker.rule.condition.denied_hold_ms
        if settled is None or not hold_ms:
            return True
        if arrival.sequence <= settled.sequence:
            return False
        return settled.overturned or arrival.seen_ms >= settled.at_ms + hold_ms

    def settles(self, newest: Remembered, arrivals: Iterable[Remembered]) -> Settled | None:
        """That the newest text settles the talk; None where it does not."""
        if newest.signal is None or not may_settle(newest.signal):
            return None
        since = self.settled.sequence if self.settled is not None else 0
        if not is_settled(_heard(arrivals, since)):
            return None
        return Settled(newest.sequence, newest.seen_ms, newest.signal.signal_id)

    def overturns(self, newest: Remembered, arrivals: Iterable[Remembered]) -> Settled | None:
        """That the newest text overturns what had settled; None where it does not."""
        settled = self.settled
        if settled is None or settled.overturned or newest.signal is None or not confirms(newest.signal):
            return None
        if not is_overturned(_heard(arrivals, settled.sequence)):
            return None
        return msgspec.structs.replace(settled, overturned=True)


def _heard(arrivals: Iterable[Remembered], since: int) -> Iterable[Heard]:
    for one in arrivals:
        if one.sequence > since and one.signal is not None:
            placed = one.story(one.signal)
            yield Heard(one.signal, placed.voice, not placed.copies)
