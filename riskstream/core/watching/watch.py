"""The watch engine of one lane: signals and time in, alerts out.

    on_signal(signal, append_ms) ─► ticks up to append_ms ─► subject.take() ─► judge the cells that changed ─► Step
    on_time(now_ms) ──────────────► ticks up to now_ms ──────────────────────► judge the cells that are due ─► alerts
    changes() ─► what the state log must know ─► restore() in the next owner
    replace() ─► other rules, another watchlist ─► renew(), a few subjects at a time ─► alerts

Rule 1. The clock is the greatest append time and tick so far; it never goes back.
Rule 2. Every rule is judged at every tick of the 1 s grid, in effect: a cell says when judging could next do something
        and is judged at the first tick at or after that; an hour in which nothing is due costs nothing.
Rule 3. Ticks run before the signal that passes them. Within a tick the order is subject, then rule, by name.
Rule 4. An event's time is when it was published, or its arrival where the signal is `clamped`; one that lies ahead of
        the clock counts as at the clock. `late` signals are counted and kept out of windows.
Rule 5. A subject is dropped when its windows and its memory of documents are empty and no rule waits or cools on it.
        Beyond `subjects_max` the one whose last signal is longest ago goes, but never one with a pending or open alert.

One honest doubt: after `events_max` documents of one subject within the horizon the oldest is forgotten, so a copy of
it that comes again then counts as new. `dropped` says how often it was so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from riskstream.core.clock import TICK_MS, parse_ms
from riskstream.core.errors import InternalError
from riskstream.core.records import MARKET, Alert, Signal, Watched
from riskstream.core.rules.denial import DENYING
from riskstream.core.rules.rule import RuleSet
from riskstream.core.watching.cellstate import Cause, CellState
from riskstream.core.watching.renewal import Renewal
from riskstream.core.watching.rollups import Rollup, Router
from riskstream.core.watching.settling import overturn
from riskstream.core.watching.shelf import Shelf
from riskstream.core.watching.state import RULE, Change, Journal, Kept, LaneState
from riskstream.core.watching.subjects import Outcome, Subject
from riskstream.core.watching.takers import Takers
from riskstream.core.watching.ticks import Ticks

RENEWING = "renewing"
"""What a lane's record names as its configuration while it goes from one to another."""


class WatchLimits(msgspec.Struct, frozen=True):
    """`events_max` documents are remembered for each subject: 4096 in a day is more than any entity of a feed has, and
    about 8 MB. `memory_margin_ms` is how much longer than the longest window a document is remembered as seen.
    `subjects_max` of a lane are remembered: 100,000 with two documents each, in five windows, are about 1.3 GB."""

    events_max: int = 4096
    memory_margin_ms: int = 3_600_000
    subjects_max: int = 100_000


class Step(msgspec.Struct, frozen=True, gc=False):
    """What one signal did: the alerts in order, those of the ticks before it included, what became of itself, and what
    it contributes to subjects of other lanes."""

    alerts: tuple[Alert, ...]
    outcome: Outcome
    rollups: tuple[Rollup, ...] = ()


class Watch:
    """The state of one lane of signals. Not shared between lanes: a subject is in one lane only.

    With `keeps_state` it notes what changes for `changes()`. `config` names the rules and the watchlist. A lane of
    `rollups` has the subjects that are no entities.
    """

    def __init__(
        self,
        rules: RuleSet,
        watchlist: Mapping[str, Watched],
        *,
        limits: WatchLimits | None = None,
        keeps_state: bool = False,
        config: str = "",
        rollups: bool = False,
    ) -> None:
        self.limits = limits or WatchLimits()
        self.config = config
        self.late = 0
        self.dropped = 0
        self._journal = Journal() if keeps_state else None
        self.takers = Takers(rules)
        self._shelf = Shelf(self.takers, watchlist, self._journal, rollups=rollups)
        self._router = Router(rules, self.takers.families)
        self.ticks = Ticks(self._shelf, self._journal, self.limits.memory_margin_ms)
        self._renewal: Renewal | None = None

    @property
    def clock_ms(self) -> int:
        """The lane's clock."""
        return self.ticks.clock_ms

    @property
    def subjects(self) -> int:
        """Subjects of which something is remembered."""
        return len(self._shelf)

    @property
    def events(self) -> int:
        """Documents that are remembered, over all subjects that are awake."""
        return sum(len(subject.documents) for subject in self._shelf)

    @property
    def watchlist(self) -> Mapping[str, Watched]:
        """Who is watched now."""
        return self._shelf.watchlist

    @property
    def rules(self) -> RuleSet:
        """The rules that are in force."""
        return self.takers.rules

    def open_alerts(self) -> tuple[Alert, ...]:
        """The last record of every open alert, the longest open first."""
        return tuple(self.ticks.opened.values())

    def on_signal(self, signal: Signal, append_ms: int, raw: msgspec.Raw | None = None) -> Step:
        """Run the ticks before a signal that the broker appended at `append_ms`, then judge what it changes.

        `raw` is its JSON, if it is at hand: it goes into the state as it is.
        """
        alerts = self._begin(append_ms)
        if signal.late:
            self.late += 1
            return Step(tuple(alerts), "late")
        outcome: Outcome = "accepted"
        self.takers.hear(signal.model, self.clock_ms)
        if signal.entity.id != MARKET:
            outcome = self._take(signal.entity.id, signal.entity.name, signal, raw, alerts)
        rollups = () if outcome == "duplicate" else self._router.rollups(signal)
        return Step(tuple(alerts), outcome, rollups)

    def on_rollup(self, rollup: Rollup, append_ms: int, raw: msgspec.Raw | None = None) -> Step:
        """The same for a contribution to a subject that is no entity, or a heartbeat of a source. `raw` is the JSON of
        its signal."""
        alerts = self._begin(append_ms)
        if rollup.signal is not None:
            self.takers.hear(rollup.signal.model, self.clock_ms)
            outcome = self._take(rollup.key, rollup.name, rollup.signal, raw, alerts)
            return Step(tuple(alerts), outcome)
        subject = self._awake(rollup.key, rollup.name, alerts)
        heard_ms = min(parse_ms(rollup.heard_at), self.clock_ms)
        for cell in subject.hear(heard_ms, rollup.id, rollup.kind, rollup.lang):
            self.ticks.judge(cell, Cause("heartbeat", heard_ms), alerts)
        if subject.housekeeping_ms is None:
            self.ticks.keep_house(subject, self.clock_ms + self.ticks.memory_ms)
        return Step(tuple(alerts), "accepted")

    def _begin(self, append_ms: int) -> list[Alert]:
        alerts = [*self.renew(), *self.ticks.run(append_ms)]
        self.ticks.clock_ms = max(self.ticks.clock_ms, append_ms)
        return alerts

    def _awake(self, subject_id: str, name: str, alerts: list[Alert]) -> Subject:
        """The subject, made or woken if need be."""
        subject = self._shelf.get(subject_id)
        if subject is not None and subject.sleeper is not None:
            self.ticks.wake(subject, alerts)
            subject = self._shelf.get(subject_id)
        return subject if subject is not None else self._shelf.add(subject_id, name)

    def _take(
        self, subject_id: str, name: str, signal: Signal, raw: msgspec.Raw | None, alerts: list[Alert]
    ) -> Outcome:
        ticks, limits, now_ms = self.ticks, self.limits, self.clock_ms
        subject, memory_ms = self._awake(subject_id, name, alerts), ticks.memory_ms
        event_ms = min(parse_ms(signal.received_at if signal.clamped else signal.published_at), now_ms)
        intake = subject.take(signal, event_ms, now_ms, memory_ms=memory_ms, events_max=limits.events_max, raw=raw)
        self.dropped += intake.dropped
        cause = Cause(signal.signal_id, event_ms)
        fresh = intake.outcome != "duplicate"
        for cell in intake.changed:
            ticks.judge(cell, cause, alerts)
        if fresh and subject.talk.settled is not None:
            for cell in overturn(subject, now_ms):
                ticks.judge(cell, cause, alerts)
        if fresh and signal.stance in DENYING:
            ticks.deny(subject, alerts)
        if subject.housekeeping_ms is None:
            ticks.keep_house(subject, now_ms + memory_ms)
        if intake.touched:
            self._shelf.touch(subject)
            ticks.make_room(limits.subjects_max, alerts)
        return intake.outcome

    def on_time(self, now_ms: int) -> tuple[Alert, ...]:
        """Run the ticks up to `now_ms`; the clock goes to the last tick of the grid, and never back."""
        alerts = [*self.renew(), *self.ticks.run(now_ms)]
        self.ticks.clock_ms = max(self.clock_ms, now_ms // TICK_MS * TICK_MS)
        return tuple(alerts)

    def changes(self) -> tuple[Change, ...]:
        """What of the state is another since the last call."""
        return self._journal.take(self.ticks.due_of) if self._journal is not None else ()

    def memories(self) -> Iterator[tuple[str, str, CellState]]:
        """What rules know of subjects beside their documents: the subject, the rule, its state."""
        for subject in self._shelf:
            for name, cell in sorted(subject.cells.items()):
                state = cell.save()
                if state is not None and state.memory is not None:
                    yield subject.ref.key, name, state

    def save(self, partitions: int = 0) -> LaneState:
        """What belongs to the lane as a whole, of so many of its topic. Half renewed, it is nobody's configuration:
        the next owner begins the renewal anew."""
        config = RENEWING if self.renewing else self.config
        return LaneState(self.clock_ms, partitions, config, self.late, self.dropped, self.takers.save())

    def restore(self, kept: Kept) -> None:
        """Go on from what another owner wrote. Subjects sleep until something is due or a signal of theirs comes.

        Where rules or watchlist are others now, all subjects are to be renewed.
        """
        ticks, lane = self.ticks, kept.lane
        changed = False
        if lane is not None:
            ticks.clock_ms, self.late, self.dropped = lane.clock_ms, lane.late, lane.dropped
            changed = lane.config != self.config
            self.takers.restore(lane.rules)
        opened: list[Alert] = []
        for subject_id, sleeper in kept.sleepers.items():
            subject = self._shelf.add(subject_id, "")
            subject.sleeper = sleeper
            ticks.keep_house(subject, ticks.clock_ms if sleeper.due_ms is None else sleeper.due_ms)
            if sleeper.has(RULE):
                states = sleeper.load(RULE, CellState).values()
                opened += [state.open.alert for state in states if state.open is not None and state.told is not None]
        ticks.opened = {a.alert_id: a for a in sorted(opened, key=lambda a: (a.starts_at, a.alert_id))}
        if changed:
            self._renewal = Renewal(self._shelf, ticks, None)

    def replace(self, rules: RuleSet, watchlist: Mapping[str, Watched], config: str = "") -> None:
        """Go on with other rules or another watchlist, from where the clock stands: all subjects are to be renewed.

        Not before the renewal that is under way has come to its end."""
        if self.renewing:
            raise InternalError("rules or watchlist are replaced while subjects are still brought under the last ones")
        before, self.config = self.watchlist, config
        if (rules.rules, rules.mutes, watchlist) == (self.rules.rules, self.rules.mutes, before):
            return
        self.takers.replace(rules, self.clock_ms - self.ticks.memory_ms)
        self._shelf.refresh(watchlist)
        self._router = Router(rules, self.takers.families)
        self._renewal = Renewal(self._shelf, self.ticks, frozenset(before))

    @property
    def renewing(self) -> bool:
        """Subjects are still to be brought under what is in force. The next signal or tick would do it first, all in
        one go."""
        return self._renewal is not None and not self._renewal.done

    def renew(self, subjects_max: int | None = None) -> tuple[Alert, ...]:
        """Bring all subjects, or so many, under what is in force, and tell what follows."""
        if self._renewal is None:
            return ()
        return tuple(self._renewal.step(len(self._shelf) if subjects_max is None else subjects_max))
