"""Suspect messages are tried in a process of their own before the daemon's model gets them.

    suspect ─► a group ─► child scores it ─┬─ lives ─► the usual way
                                           └─ dies  ─► each alone ─┬─ lives ─► the usual way
                                                                   └─ dies, twice ─► a dead letter

Rule 1. A message is convicted only where it stood alone and its process died twice: a child that was killed for another
        reason convicts nobody.
Rule 2. A child that cannot be started convicts nobody either: the messages go the usual way, as they did before.
Rule 3. Lanes without suspicion never wait for a child.
Rule 4. A verdict outlives the lane: after a rebalance the same messages come again, mostly to the same process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from riskstream.core.records import Message, Partition, Position, Ticket
from riskstream.service.stages.lanes import Finish
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.trials import LaneSuspected, TextConvicted

GROUP_MAX = 16
DEATHS = 2
VERDICTS_MAX = 20_000
"""About 4 MB; more than a dozen lanes have in flight together."""
IDLE_S = 30.0
"""A child that had nothing to do for so long is ended: its model takes memory."""


class Taster(Protocol):
    """A disposable process that scores as the daemon would, and is not missed."""

    async def survives(self, messages: Sequence[Message]) -> bool:
        """False where the process ended, or did not answer in its time, over these."""

    async def close(self) -> None:
        """End it. It is started again when it is needed."""


class Work(msgspec.Struct, frozen=True):
    """A message of a lane, and where its answer goes."""

    ticket: Ticket
    message: Message
    finish: Finish


class Tasting:
    """The queue of suspects. `cleared` gets those that lived, `convicted` the others, one at a time."""

    def __init__(
        self,
        taster: Taster,
        *,
        cleared: Callable[[Sequence[Work]], None],
        convicted: Callable[[Work], None],
        telemetry: Telemetry,
    ) -> None:
        self._taster, self._telemetry = taster, telemetry
        self._cleared, self._convicted = cleared, convicted
        self._until: dict[Partition, int] = {}
        self._waiting: deque[Work] = deque()
        self._verdicts: dict[tuple[Position, int], bool] = {}
        self._arrived = asyncio.Event()

    def suspect(self, lane: Partition, until: int) -> None:
        """Messages of this lane below `until` are tried first."""
        self._until[lane] = until
        self._telemetry.emit(LaneSuspected(lane.topic, lane.partition, until))

    def takes(self, work: Work) -> bool:
        """Whether it must wait for its trial. Once it need not, the lane is free of suspicion."""
        until = self._until.get(work.ticket.lane)
        if until is None:
            return False
        if work.message.position.offset >= until:
            del self._until[work.ticket.lane]
            return False
        if (lived := self._verdicts.get(_known_by(work))) is not None:
            if not lived:
                self._convict(work)
            return not lived
        self._waiting.append(work)
        self._arrived.set()
        return True

    def drop(self, lane: Partition) -> None:
        """The lane is gone."""
        self._until.pop(lane, None)
        self._waiting = deque(one for one in self._waiting if one.ticket.lane != lane)

    async def run(self) -> None:
        """Try what waits, until cancelled."""
        try:
            while True:
                while not self._waiting:
                    await self._rest()
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_MAX))]
                await self._try(group)
        finally:
            await self._taster.close()

    async def _rest(self) -> None:
        self._arrived.clear()
        try:
            await asyncio.wait_for(self._arrived.wait(), IDLE_S)
        except TimeoutError:
            await self._taster.close()

    async def _try(self, group: Sequence[Work]) -> None:
        deaths = DEATHS if len(group) == 1 else 1
        for _ in range(deaths):
            if await self._taster.survives([one.message for one in group]):
                self._remember(group, lived=True)
                self._cleared(group)
                return
        if len(group) > 1:
            for one in group:
                await self._try([one])
        else:
            self._remember(group, lived=False)
            self._convict(group[0])

    def _convict(self, work: Work) -> None:
        position = work.message.position
        self._telemetry.emit(TextConvicted(position.topic, position.partition, position.offset))
        self._convicted(work)

    def _remember(self, group: Sequence[Work], *, lived: bool) -> None:
        self._verdicts |= {_known_by(work): lived for work in group}
        while len(self._verdicts) > VERDICTS_MAX:
            del self._verdicts[next(iter(self._verdicts))]


def _known_by(work: Work) -> tuple[Position, int]:
    return work.message.position, work.message.timestamp_ms
