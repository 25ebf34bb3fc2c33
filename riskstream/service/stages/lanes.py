"""One assigned partition at work: what is in flight, and the transactions that let it out.

    opening ──► restoring ──► ready ──► draining ──► closed
                              │ ▲          (revoked or stopping: nothing new is taken, what is there is committed)
        records in ──admit──► slots ──fill──► commit: outputs + offset, one transaction

Rule 1. Results leave in the order of their records, and only with the offset that they belong to.
Rule 2. Before its first records a wary lane commits that it begins (core/lanes/suspicion.py); till then they are held.
Rule 3. A commit waits for company (core/lanes/company.py), but not once it has all that it may hold.
Rule 4. A lane whose producer failed is never mended here: `LaneLost` goes up, and only a new assignment opens it again.
Rule 5. A lane under suspicion drains at once: its records are on trial, which takes seconds, and the whole group would
        wait for them. What the trial has cleared is committed, the rest comes again to the next owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, Protocol

import msgspec

from riskstream.core.lanes import suspicion
from riskstream.core.lanes.company import Company
from riskstream.core.lanes.progress import Progress
from riskstream.core.ports import Ends, Lane, Partitions
from riskstream.core.records import Message, Output, Partition, Ticket
from riskstream.service.stages.turns import Turns

AT_ONCE = 32
"""Records that a processor is given before others have their turn: some 2 ms of the watch stage, and a fifth of a
second where each is news for an alert of thousands of documents."""
Phase = Literal["opening", "restoring", "ready", "draining", "closed"]


class Done(msgspec.Struct, frozen=True, gc=False):
    """What a record came to: what is to be written, and what to count once it is.

    `since_ms` is the moment that end-to-end time counts from; None for the work of a tick. `last` is written, after all
    others, if this is the last result of its transaction. `facts` are the processor's own, for its counts. `urgent`:
    somebody waits for it.
    """

    outputs: tuple[Output, ...] = ()
    since_ms: int | None = None
    last: tuple[Output, ...] = ()
    facts: tuple[object, ...] = ()
    urgent: bool = False


Finish = Callable[[Ticket, Done], None]
Accept = Callable[[Sequence[tuple[Ticket, Message]], Finish], None]


class Restored(msgspec.Struct, frozen=True):
    """What a lane stands on: `records` of the state log were read for it, none where it still had all in memory."""

    records: int
    subjects: int
    seconds: float


class Processor(Protocol):
    """What a stage does with records."""

    def assigned(self, lanes: Partitions) -> None:
        """The group gave us these lanes, and no others: what is remembered of others may go."""

    async def opened(self, lane: Partition, add: Callable[[Done], None]) -> Restored | None:
        """The lane's old owner is fenced: bring back what the lane knows. None where it keeps nothing. `add` takes, at
        any time while the lane is open, results that no record made.

        Raises LaneLost where the broker is silent, OperatorError where what was kept does not fit."""

    def accept(self, work: Sequence[tuple[Ticket, Message]], finish: Finish) -> None:
        """Records of one lane, in order. Returns at once; each ticket is answered once through `finish`."""

    def tick(self, lane: Partition, now_ms: int) -> Done | None:
        """The lane has read all there is at this time of the wall clock; None where nothing follows from it."""

    def committed(self, lane: Partition, results: Sequence[Done], ends: Ends) -> None:
        """These results are out, once and for all; `ends` is where each partition that was written to ends now."""

    def closed(self, lane: Partition) -> None:
        """The lane is gone; forget what belongs to it."""


class CommitLimits(msgspec.Struct, frozen=True):
    """When a lane commits: this long after the first result is ready, or once so many are; at most so many bytes."""

    wait_s: float
    records_max: int
    bytes_max: int


class Commit(msgspec.Struct, frozen=True):
    """What one transaction held."""

    results: tuple[Done, ...]
    records: int
    outputs: int
    seconds: float
    ends: Ends


class LaneRun:
    """The lane of one partition, from its assignment to its revocation."""

    def __init__(
        self,
        lane: Lane,
        partition: Partition,
        epoch: int,
        limits: CommitLimits,
        turns: Turns,
        *,
        wary_as: str | None = None,
    ) -> None:
        """`wary_as` names this process in the note that it begins; None: the lane keeps no such note."""
        self.partition = partition
        self.phase: Phase = "opening"
        self.progress: Progress[Done] = Progress(partition, epoch)
        self.next_offset = 0
        self.commits = 0
        self._lane, self._limits, self._turns = lane, limits, turns
        self._changed = asyncio.Event()
        self._company, self._sooner = Company(limits.wait_s, limits.records_max), asyncio.Event()
        self._wary_as, self._note, self._kept = wary_as, suspicion.Note(), ""
        self._begun = wary_as is None
        self._held: list[Message] = []
        self._accept: Accept = _nothing

    @property
    def _drains(self) -> bool:
        return self.phase == "draining"

    @property
    def _suspected(self) -> bool:
        return self._wary_as is not None and self._note.until > self.next_offset

    @property
    def in_flight(self) -> int:
        """Records taken and not yet committed."""
        return len(self._held) + self.progress.in_flight

    async def open(self) -> tuple[int | None, str]:
        """Fence the old owner; the committed offset (None: never committed) and what was kept beside it."""
        resume = await self._lane.open()
        if resume is None:
            return None, ""
        self._note, kept = suspicion.read(resume.metadata)
        return resume.offset, kept

    async def begin_at(self, offset: int, kept: str, *, committed: bool) -> None:
        """The next record is the one at `offset`, and `kept` is kept beside every offset from now on. A first one is
        committed at once: where a partition begins is chosen once, not again by an owner who comes before a record."""
        self.next_offset, self._kept = offset, kept
        if not committed:
            await self._lane.commit([], offset, suspicion.write(self._note, kept))

    def suspected_until(self, begin: int, span: int) -> int | None:
        """Records below this offset may have ended a process, of which at most `span` were in flight; None: no reason
        to think so."""
        if self._wary_as is None:
            return None
        self._note = self._note.suspects(begin, self._wary_as, span)
        return self._note.until if self._note.until > begin else None

    async def take(self, messages: Sequence[Message], accept: Accept) -> None:
        """Records of this lane, in order, for the processor: a few at a time, as it may think long about each. Other
        lanes, transactions and heartbeats run between, and a lane that goes meanwhile drops what is left."""
        for at in range(0, len(messages), AT_ONCE):
            if self.phase != "ready":
                return
            some = messages[at : at + AT_ONCE]
            if self._begun:
                accept(self._admit(some), self.finish)
            else:
                self._held.extend(some)
                self._accept = accept
                self._changed.set()
            await asyncio.sleep(0)

    def _admit(self, messages: Sequence[Message]) -> list[tuple[Ticket, Message]]:
        return [(self.progress.admit(message.position.offset), message) for message in messages]

    def add(self, done: Done) -> None:
        """Results that no record made; they go out after those of the records before them."""
        self.finish(self.progress.admit(None), done)

    def finish(self, ticket: Ticket, done: Done) -> None:
        """The answer to a ticket; one of another epoch is dropped."""
        if self.progress.fill(ticket, done) and (ready := self.progress.ready):
            self._changed.set()
            if self._company.came(ready, _now_s(), urgent=done.urgent):
                self._sooner.set()

    def drain(self) -> None:
        """Take nothing more, commit what comes without waiting for company, then end."""
        self.phase = "draining"
        self._sooner.set()
        self._changed.set()

    async def commit_next(self) -> Commit | None:
        """Wait for results and commit them; None when the lane has drained. Raises LaneLost."""
        while not self.progress.ready:
            if self._held:
                await self._begin()
                continue
            if self._drains and (self._suspected or not self.in_flight):
                return None
            self._changed.clear()
            await self._changed.wait()
        while (wait_s := self._wait_s()) > 0:
            self._sooner.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), wait_s)
        async with self._turns.turn():
            return await self._commit()

    def _wait_s(self) -> float:
        """How long what is ready may still wait."""
        due_s = self._company.due_s
        return 0.0 if self._drains or due_s is None else due_s - _now_s()

    async def _commit(self) -> Commit:
        """What is ready by now, in one transaction."""
        limits = self._limits
        taken = self.progress.take(limits.records_max, size=_bytes_of, bytes_max=limits.bytes_max)
        self._company.left(self.progress.ready, _now_s())
        offsets = [offset for offset, _ in taken if offset is not None]
        next_offset = offsets[-1] + 1 if offsets else self.next_offset
        results = tuple(done for _, done in taken)
        outputs = [output for done in results for output in done.outputs]
        outputs += results[-1].last
        started = _now_s()
        note = self._note.passed(next_offset) if offsets else self._note
        ends = await self._lane.commit(outputs, next_offset, suspicion.write(note, self._kept))
        self.next_offset, self._note = next_offset, note
        self.commits += 1
        return Commit(results, len(offsets), len(outputs), _now_s() - started, ends)

    async def _begin(self) -> None:
        """Commit that this process begins here, then let the held records go. A lane that drains drops them."""
        if not self._drains and self._wary_as is not None:
            note = self._note.begun(self._wary_as)
            async with self._turns.turn():
                await self._lane.commit([], self.next_offset, suspicion.write(note, self._kept))
            self._note, self._begun = note, True
        held, self._held = self._held, []
        if not self._drains:
            self._accept(self._admit(held), self.finish)

    async def close(self) -> None:
        """Let go of the producer."""
        self.phase = "closed"
        await self._lane.close()


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _nothing(_: Sequence[tuple[Ticket, Message]], __: Finish) -> None:
    """The processor before there are records."""


def _bytes_of(done: Done) -> int:
    return sum(len(output.value or b"") for output in done.outputs)
