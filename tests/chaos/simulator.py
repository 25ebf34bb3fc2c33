"""Whole daemons on the embedded broker and a virtual clock, under a seeded schedule of faults; the checker judges.

    seed ─► schedule (documents, faults, times) ─► three daemons + SimCluster on one VirtualLoop ─► checker ─► Result

    python -m tests.chaos.simulator --seeds 2000 [--first 0]     a line per seed that fails, the last line JSON

Rule 1. A seed is a schedule: the same seed runs the same way, so a failing one can be looked at.
Rule 2. After the last fault the daemons have `SETTLE_S` virtual seconds. What is not out then counts as lost.
"""

from __future__ import annotations

import argparse
import asyncio
import contextvars
import json
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from riskstream.core.clock import parse_ms
from riskstream.core.errors import RiskstreamError
from riskstream.core.records import Message, Output, Partition
from riskstream.sections import Feed, Http, Stages, Watch
from riskstream.sections.kafka import Topics
from riskstream.service import parts
from riskstream.service.daemon.app import Daemon
from riskstream.settings import Settings
from riskstream.telemetry import Metrics, Telemetry
from tests.chaos.checker import Findings, check
from tests.chaos.documents import KILL, Mix, entries, headers, limits_for, rules_toml, value, watchlist_csv
from tests.chaos.files import Record, Run
from tests.chaos.loop import PROCESS, Process, ProcessDies, Stuck, VirtualLoop
from tests.chaos.model import ChaosScorer
from tests.chaos.simbroker import SimBroker, SimCluster

EPOCH_MS = parse_ms("2026-03-09T12:00:00Z")
FEED = "feed"
PODS = ("one", "two", "three")
FAULTS = ("kill", "pause", "stop", "cut", "storm", "slow", "outage", "lossy")
SETTLE_S = 400.0
"""Longer than four process deaths in a row, each noticed after a session time-out."""


class Fault(msgspec.Struct, frozen=True):
    """What happens to which process, when and for how long, in virtual seconds."""

    at_s: float
    kind: str
    pod: str
    for_s: float


class Schedule(msgspec.Struct, frozen=True):
    """Everything that a seed decides."""

    seed: int
    documents: int
    mix: Mix
    feed_partitions: int
    over_s: float
    faults: tuple[Fault, ...]
    in_flight_max: int


class Result(msgspec.Struct, frozen=True):
    """What became of a schedule."""

    schedule: Schedule
    found: Findings
    rightful_fenced: tuple[str, ...]
    committed: int
    refused: int
    deaths: int
    stuck: str = ""

    @property
    def clean(self) -> bool:
        """Nothing is wrong."""
        return self.found.clean and not self.rightful_fenced and not self.stuck


def schedule_of(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = random.Random(f"schedule-{seed}")
    over_s = rng.uniform(5, 60)
    faults = []
    for _ in range(rng.randint(1, 6)):
        kind = rng.choice(FAULTS)
        for_s = rng.uniform(16, 60) if kind == "pause" and rng.random() < 0.6 else rng.expovariate(1 / 6)
        faults.append(Fault(rng.uniform(0, over_s + 20), kind, rng.choice(PODS), for_s))
    mix = Mix(kills=rng.choice((0, 0, 0, 1)), nan=0.02, malformed=0.02, repeated=0.1)
    return Schedule(
        seed=seed,
        documents=rng.randint(20, 120),
        mix=mix,
        feed_partitions=rng.randint(1, 4),
        over_s=over_s,
        faults=tuple(sorted(faults, key=lambda f: f.at_s)),
        in_flight_max=rng.choice((4, 32, 1000)),
    )


class Pod:
    """One daemon and whoever starts it again."""

    def __init__(self, site: Site, name: str) -> None:
        self.site, self.name = site, name
        self.slow = False
        self.process: Process | None = None
        self.stop = asyncio.Event()
        self.restart_s = 1.0
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: asyncio.Event = asyncio.Event()
        self.closing = False

    async def supervise(self) -> None:
        """Start, wait for the end, start again."""
        while not self.closing:
            self._ended = asyncio.Event()
            process = Process(self.name, self._work_s)
            process.on_death = self._ended.set
            self.site.processes.append(process)
            self.process, self.stop = process, asyncio.Event()
            context = contextvars.Context()
            context.run(PROCESS.set, process)
            task = asyncio.get_running_loop().create_task(self._run(process), context=context)
            self._tasks.append(task)
            await self._ended.wait()
            await asyncio.sleep(self.restart_s)

    def _work_s(self) -> float:
        rng = self.site.cluster.rng
        return rng.uniform(2, 12) if self.slow else rng.expovariate(1 / 0.005)

    async def _run(self, process: Process) -> None:
        site = self.site
        daemon = Daemon(
            site.settings,
            Telemetry(Metrics()),
            broker=SimBroker(site.cluster, process),
            scorer=ChaosScorer(die=site.die),
            now_ms=site.now_ms,
            taster=SimTaster(),
        )
        try:
            await daemon.run(self.stop)
        except (Exception, BaseExceptionGroup) as error:
            site.endings.append(f"{self.name}: {error!r}")
            if not isinstance(error, RiskstreamError):
                raise
        finally:
            self._ended.set()


class SimTaster:
    """A `Taster` whose child is a look at the text."""

    async def survives(self, messages: Sequence[Message]) -> bool:
        """False where one of them would end a process."""
        await asyncio.sleep(0.1)
        return not any(KILL.encode() in (message.value or b"") for message in messages)

    async def close(self) -> None:
        """There is no child."""


class Site:
    """The cluster, its daemons, and the schedule that befalls them."""

    def __init__(self, schedule: Schedule, folder: Path, loop: VirtualLoop) -> None:
        self.schedule, self.loop = schedule, loop
        self.cluster = SimCluster(random.Random(f"cluster-{schedule.seed}"), self.now_ms)
        self.limits = limits_for(schedule.documents)
        self.endings: list[str] = []
        self.processes: list[Process] = []
        self.records: dict[str, list[Record]] = {}
        self.fenced: list[str] = []
        self.deaths = 0
        """By a text; kills of the schedule are apart."""
        (folder / "watchlist.csv").write_text(watchlist_csv())
        (folder / "rules.toml").write_text(rules_toml(self.limits))
        self.settings = Settings(
            feed=(Feed(name=FEED, topic=FEED, start="earliest", partitions=schedule.feed_partitions),),
            topics=Topics(partitions=3),
            http=Http(port=0, open=True),
            stages=Stages(in_flight_max=schedule.in_flight_max, poll_records_max=50),
            watch=Watch(watchlist=folder / "watchlist.csv", rules=folder / "rules.toml"),
        )
        self.pods = {name: Pod(self, name) for name in PODS}

    def now_ms(self) -> int:
        """The virtual clock, in the time of records."""
        return EPOCH_MS + int(self.loop.time() * 1000)

    def close(self) -> None:
        """Keep what was written, then let everything that still stands fall."""
        topics = self.settings.topics
        names = (FEED, topics.signals, topics.alerts, topics.dead_letters)
        self.records = {name: _records(self.cluster, name) for name in names}
        self.fenced = list(self.cluster.rightful_fenced)
        self.cluster.heal(*PODS)
        self.loop.bury(self.processes)

    def die(self) -> None:
        """What the model does with a text that ends processes."""
        self.deaths += 1
        raise ProcessDies

    async def run(self) -> None:
        """Until everything is out, or the time is over."""
        cluster = self.cluster
        await cluster.create_topics(parts.topics_of(self.settings))
        for pod in self.pods.values():
            cluster.spawn(pod.supervise())
        faults = [cluster.spawn(self._befall(fault)) for fault in self.schedule.faults]
        await self._publish()
        await asyncio.wait(faults) if faults else None
        deadline = self.loop.time() + SETTLE_S
        while self.loop.time() < deadline and not self._settled():  # noqa: ASYNC110 - looked at from outside
            await asyncio.sleep(0.5)
        await asyncio.sleep(5)

    async def _publish(self) -> None:
        schedule, rng = self.schedule, random.Random(f"publish-{self.schedule.seed}")
        times = sorted(rng.uniform(0, schedule.over_s) for _ in range(schedule.documents))
        for at_s, entry in zip(times, entries(schedule.seed, schedule.documents, schedule.mix), strict=True):
            await asyncio.sleep(max(0.0, at_s - self.loop.time()))
            partition = rng.randrange(schedule.feed_partitions)
            output = Output(FEED, entry.id.encode(), value(entry, self.now_ms()), headers(entry), partition)
            self.cluster.append([output], transaction=False)

    def _settled(self) -> bool:
        names = (f"{self.settings.app}.{stage}" for stage in ("score", "watch"))
        return not any(self.cluster._unread(self.cluster.group(name)) for name in names)  # type: ignore[arg-type]

    async def _befall(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at_s)
        pod, loop, cluster = self.pods[fault.pod], self.loop, self.cluster
        match fault.kind:
            case "kill":
                if pod.process is not None:
                    pod.restart_s = fault.for_s
                    loop.kill(pod.process)
            case "pause":
                if (process := pod.process) is not None:
                    loop.pause(process)
                    await asyncio.sleep(fault.for_s)
                    loop.resume(process)
            case "stop":
                pod.stop.set()
            case "cut":
                cluster.cut.add(fault.pod)
                await asyncio.sleep(fault.for_s)
                cluster.heal(fault.pod)
            case "outage":
                cluster.cut |= set(PODS)
                await asyncio.sleep(fault.for_s)
                cluster.heal(*PODS)
            case "storm":
                for _ in range(3):
                    for one in self.pods.values():
                        one.restart_s = 0.2
                    pod.stop.set()
                    await asyncio.sleep(1 + fault.for_s / 3)
            case "slow":
                pod.slow = True
                await asyncio.sleep(fault.for_s)
                pod.slow = False
            case "lossy":
                cluster.lossy = 0.3
                await asyncio.sleep(fault.for_s)
                cluster.lossy = 0.0


def run_seed(seed: int, folder: Path) -> Result:
    """One schedule, from its beginning to the checker's verdict."""
    return run_schedule(schedule_of(seed), folder)


def run_schedule(schedule: Schedule, folder: Path) -> Result:
    """Any schedule."""
    site, stuck = _play(schedule, folder)
    found = check(*_files(site))
    cluster = site.cluster
    return Result(schedule, found, tuple(site.fenced), cluster.committed, cluster.refused, site.deaths, stuck)


def run_files(schedule: Schedule, folder: Path) -> tuple[Run, list[Record], list[Record]]:
    """A schedule, and what a reader would have seen of it: what was asked, the inputs, the outputs."""
    return _files(_play(schedule, folder)[0])


def _play(schedule: Schedule, folder: Path) -> tuple[Site, str]:
    loop, stuck = VirtualLoop(), ""
    site = Site(schedule, folder, loop)
    try:
        loop.run_until_complete(site.run())
    except Stuck:
        stuck = "nothing is ready and no timer runs"
    site.close()
    return site, stuck


def _files(site: Site) -> tuple[Run, list[Record], list[Record]]:
    schedule, topics = site.schedule, site.settings.topics
    run = Run(schedule.seed, schedule.documents, topics.signals, topics.alerts, topics.dead_letters, site.limits)
    return run, site.records[FEED], [r for name, mine in site.records.items() if name != FEED for r in mine]


def _records(cluster: SimCluster, topic: str) -> list[Record]:
    found = []
    for number in range(cluster.partitions_of(topic)):
        for m in cluster.log(Partition(topic, number)).messages:
            texts = {name: data.decode() for name, data in m.headers}
            at = m.position
            key, body = (m.key or b"").decode(), (m.value or b"").decode()
            found.append(Record(at.topic, at.partition, at.offset, key, body, texts, m.timestamp_ms))
    return found


def quiet() -> None:
    """No lines: a schedule is judged by what it wrote."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)


def main() -> int:
    """The command line."""
    about = argparse.ArgumentParser(description="Run seeded schedules of faults on a virtual clock.")
    about.add_argument("--seeds", type=int, default=1000, help="how many schedules (1000)")
    about.add_argument("--first", type=int, default=0, help="the first seed (0)")
    about.add_argument("--until-failure", action="store_true", help="end at the first schedule that fails")
    given = about.parse_args()
    quiet()
    started, failed, totals = time.monotonic(), [], Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.first, given.first + given.seeds):
            result = run_seed(seed, Path(folder))
            totals += _counts(result)
            if not result.clean:
                failed.append(seed)
                print(f"seed {seed}: {result.schedule}", *told(result), sep="\n  ", file=sys.stderr)
                if given.until_failure:
                    break
    seconds = round(time.monotonic() - started, 1)
    print(json.dumps({"schedules": given.seeds, "failed": failed, "seconds": seconds, **totals}))
    return 1 if failed else 0


def told(result: Result) -> list[str]:
    """What is wrong with a schedule, as lines."""
    stuck = [f"stuck: {result.stuck}"] if result.stuck else []
    return [*stuck, *result.found.lines(), *(f"rightful owner fenced: {line}" for line in result.rightful_fenced)]


def _counts(result: Result) -> Counter[str]:
    kinds = Counter(f"fault_{fault.kind}" for fault in result.schedule.faults)
    sums = {"documents": result.schedule.documents, "signals": result.found.signals, "alerts": result.found.alerts}
    return kinds + Counter({**sums, "transactions": result.committed, "refused": result.refused})


if __name__ == "__main__":
    sys.exit(main())
