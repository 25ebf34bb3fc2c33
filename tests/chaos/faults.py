"""What befalls a run: each fault is a coroutine that begins, waits and mends; the order is seeded, no kind is left out.

They come one after another, so that a figure belongs to one. Texts that end processes come with the documents.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from tests.chaos.cluster import BROKERS, KafkaCluster
from tests.chaos.pods import Diary, PodProcess, now_ms

PAUSE_S = (18.0, 28.0)
"""Longer than the session timeout of 15 s: the pod has lost its partitions when it wakes."""
GAP_S = (2.0, 8.0)
OUTAGE_S = 120.0
RESTARTS = 24


class Faults:
    """The faults of one run. `spare` is one more pod, which only storms start."""

    def __init__(
        self,
        rng: random.Random,
        cluster: KafkaCluster,
        pods: Mapping[str, PodProcess],
        spare: PodProcess,
        diary: Diary,
        transactional_ids: Sequence[str],
    ) -> None:
        self._rng, self._cluster, self._pods, self._spare = rng, cluster, pods, spare
        self._diary, self._ids = diary, transactional_ids
        self.kinds: dict[str, Callable[[], Awaitable[str]]] = {
            "kill": self._kill,
            "pause": self._pause,
            "rolling": self._rolling,
            "broker": self._broker,
            "coordinator": self._coordinator,
            "cut": self._cut,
            "tear": self._tear,
            "storm": self._storm,
            "slow": self._slow,
        }
        self.more: dict[str, Callable[[], Awaitable[str]]] = {"outage": self._outage, "restarts": self._restarts}
        """Kinds that a run has only where it is asked for them."""

    async def run(self, wanted: Sequence[str], until: asyncio.Event) -> None:
        """Every wanted kind once, in a seeded order; then again, until the event is set."""
        for kind in self._order(wanted, until):
            await asyncio.sleep(self._rng.uniform(*GAP_S))
            began = now_ms()
            before = self._committed()
            what = await (self.kinds | self.more)[kind]()
            await asyncio.sleep(1.0)  # the counters are looked at every second
            committed = int(self._committed() - before)
            self._diary.write(kind=kind, what=what, from_ms=began, to_ms=now_ms(), committed=committed)

    def _order(self, wanted: Sequence[str], until: asyncio.Event) -> Iterator[str]:
        first = True
        while first or not until.is_set():
            order = list(wanted)
            self._rng.shuffle(order)
            for kind in order:
                if not first and until.is_set():
                    return
                yield kind
            first = False

    def _committed(self) -> float:
        return sum(pod.committed for pod in self._pods.values())

    def _pod(self) -> PodProcess:
        return self._pods[self._rng.choice(sorted(self._pods))]

    async def _kill(self) -> str:
        pod = self._pod()
        pod.signal(signal.SIGKILL)
        await asyncio.sleep(1)
        await pod.ready()
        return pod.name

    async def _pause(self) -> str:
        pod = self._pod()
        pod.signal(signal.SIGSTOP)
        await asyncio.sleep(self._rng.uniform(*PAUSE_S))
        pod.signal(signal.SIGCONT)
        await asyncio.sleep(5)
        return pod.name

    async def _rolling(self) -> str:
        for pod in self._pods.values():
            pod.signal(signal.SIGTERM)
            await asyncio.sleep(3)
            await pod.ready()
        return "all"

    async def _broker(self) -> str:
        return await self._without(self._rng.randrange(BROKERS))

    async def _coordinator(self) -> str:
        return await self._without(await self._cluster.coordinator_of(self._rng.choice(self._ids)))

    async def _without(self, number: int) -> str:
        self._cluster.brokers[number].stop(kill=True)
        await asyncio.sleep(self._rng.uniform(8, 15))
        await self._cluster.restart(number)
        await asyncio.sleep(5)
        return f"broker {number}"

    async def _outage(self) -> str:
        for broker in self._cluster.brokers:
            broker.stop(kill=True)
        await asyncio.sleep(OUTAGE_S)
        for broker in self._cluster.brokers:
            broker.launch()
        await asyncio.gather(*(asyncio.to_thread(broker.await_answer) for broker in self._cluster.brokers))
        for pod in self._pods.values():
            await pod.ready()
        return "all brokers"

    async def _cut(self) -> str:
        pod = self._pod()
        for line in self._cluster.lines_of(pod.name):
            line.cut()
        await asyncio.sleep(self._rng.uniform(5, 25))
        for line in self._cluster.lines_of(pod.name):
            line.mend()
        await asyncio.sleep(5)
        return pod.name

    async def _tear(self) -> str:
        pod = self._pod()
        for line in self._cluster.lines_of(pod.name):
            line.tear()
        await asyncio.sleep(self._rng.uniform(1, 15))
        for line in self._cluster.lines_of(pod.name):
            line.mend()
        await asyncio.sleep(5)
        return pod.name

    async def _storm(self) -> str:
        for _ in range(3):
            self._spare.start()
            await self._spare.ready()
            await asyncio.sleep(self._rng.uniform(0, 4))
            await self._spare.stop()
        return self._spare.name

    async def _slow(self) -> str:
        pod = self._pod()
        pod.slow_file.touch()
        await asyncio.sleep(self._rng.uniform(8, 20))
        pod.slow_file.unlink()
        return pod.name

    async def _restarts(self) -> str:
        survivor, *others = self._pods.values()
        for turn in range(RESTARTS):
            pod = others[turn % len(others)]
            pod.signal(signal.SIGTERM if turn % 2 else signal.SIGKILL)
            await asyncio.sleep(2)
            await pod.ready()
        return f"all but {survivor.name}"
