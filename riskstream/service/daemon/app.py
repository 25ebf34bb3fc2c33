"""The daemon: settings in, stages running, until it is told to stop.

    start   files ─► HTTP port ─► broker and topics ─► model ─► stages
    stop    stages drain and commit ─► model thread ─► broker ─► HTTP port

Rule 1. What an operator can mend is an OperatorError, raised before any partition is taken.
Rule 2. The daemon asks nobody to stop it: `run(stop)` ends when the event is set, drained, or raises.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from riskstream import __version__
from riskstream.core.errors import DeviceLost, OperatorError, first_error
from riskstream.core.ports import Broker, Scorer, Start
from riskstream.core.records import Alert
from riskstream.kafka.client import KafkaBroker
from riskstream.scoring.worker import Worker
from riskstream.service import parts
from riskstream.service.ask import Desk, score_pairs
from riskstream.service.daemon import making
from riskstream.service.daemon.crew import Crew
from riskstream.service.daemon.reload import Reloader
from riskstream.service.daemon.starting import check_topics, make_traces
from riskstream.service.health import Health
from riskstream.service.http.server import HttpServer
from riskstream.service.sinks.sinks import START as SINKS_START
from riskstream.service.sinks.sinks import Sinks
from riskstream.service.stages import files
from riskstream.service.stages.board import Board
from riskstream.service.stages.lanes import Processor
from riskstream.service.stages.memory import Memory
from riskstream.service.stages.score import ScoreProcessor
from riskstream.service.stages.serving import Table, follow_alerts
from riskstream.service.stages.stage import Stage
from riskstream.service.stages.states import Pictures, States
from riskstream.service.stages.swap import Follower, Loaded, load_checked
from riskstream.service.stages.taster import ChildTaster, score_as_daemon
from riskstream.service.stages.tasting import Taster
from riskstream.service.stages.watching import WatchProcessor
from riskstream.settings import Settings
from riskstream.telemetry import events as ev
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.watchdogs import WatchdogBarked

if TYPE_CHECKING:
    from riskstream.service.daemon.tracing import Traces

StageName = Literal["score", "watch", "serve"]
STAGES: tuple[StageName, ...] = ("score", "watch", "serve")
ROLLUPS = "rollups"
"""The second half of the watch stage: it runs where that does, if a rule is about others than entities."""


def wall_ms() -> int:
    """Milliseconds since 1970 UTC, by this machine's clock."""
    return time.time_ns() // 1_000_000


class Daemon:
    """One process of riskstream. A broker, a scorer or a clock of the caller's stand in for the real ones."""

    def __init__(
        self,
        settings: Settings,
        telemetry: Telemetry,
        *,
        stages: Sequence[StageName] = STAGES,
        broker: Broker | None = None,
        scorer: Scorer | None = None,
        now_ms: Callable[[], int] = wall_ms,
        on_alert: Callable[[Alert], None] | None = None,
        taster: Taster | None = None,
        traces: Traces | None = None,
    ) -> None:
        self.settings, self.telemetry, self.stages = settings, telemetry, tuple(stages)
        self.health = Health()
        self.running: dict[str, Stage] = {}
        self.http: HttpServer | None = None
        self._broker, self._scorer, self._now_ms, self._on_alert = broker, scorer, now_ms, on_alert
        self._taster = taster or ChildTaster(partial(score_as_daemon, settings, scorer), telemetry=telemetry)
        self._worker: Worker | None = None
        self._loaded: Loaded | None = None
        self._model: Scorer | None = None
        self._follower: Follower | None = None
        self._scoring: ScoreProcessor | None = None
        self._watching: list[WatchProcessor] = []
        self._pictures: Pictures | None = None
        self._partitions: Mapping[str, int] = {}
        self._traces = traces or make_traces(settings)
        self._board = Board() if "serve" in self.stages else None

    async def run(self, stop: asyncio.Event) -> None:
        """Start, work until `stop`, drain, let go. Raises OperatorError where the start cannot succeed."""
        settings = self.settings
        inputs = files.read_inputs(settings)
        if "score" in self.stages and not inputs.starts:
            raise OperatorError("feed", [], "no feed is configured", "add a [[feed]] table with a name and a topic")
        self._tell_inputs(inputs)
        sinks = Sinks(settings.sink, telemetry=self.telemetry, now_ms=self._now_ms) if "serve" in self.stages else None
        self.http = making.http_server(settings, self.health, self.telemetry.metrics, self._board)
        await self.http.start()
        try:
            broker = self._broker or KafkaBroker(parts.kafka_config(settings.kafka, settings.app))
            try:
                rollups = inputs.rules.rolls_up
                self._partitions = await check_topics(broker, settings, self.stages, rollups=rollups)
                scorer = await self._load_model(inputs) if "score" in self.stages else None
                await self._work(broker, inputs, scorer, sinks, stop)
            finally:
                if sinks is not None:
                    await sinks.close()
                if self._worker is not None:
                    await self._worker.close()
                if self._broker is None:
                    await broker.close()
                if self._traces is not None:
                    await self._traces.close()
        finally:
            await self.http.stop()

    def _tell_inputs(self, inputs: files.Inputs, kinds: Collection[ev.ConfigKind] = files.RELOADED) -> None:
        """Which files are in force here, and what can be counted because of them."""
        settings, expect, emit = self.settings, self.telemetry.metrics.expect, self.telemetry.emit
        expect(stages=[stage for stage in self.stages if stage != "serve"])
        if "score" in self.stages:
            expect(feeds=[feed.name for feed in settings.feed])
        if "watchlist" in kinds:
            emit(ev.ConfigLoaded("watchlist", inputs.hashes["watchlist"], str(settings.watch.watchlist)))
        if "watch" in self.stages:
            expect(rules=[rule.name for rule in inputs.rules.rules])
        if self.stages != ("score",) and "rules" in kinds:
            emit(ev.ConfigLoaded("rules", inputs.hashes["rules"], str(settings.watch.rules)))

    async def _work(
        self, broker: Broker, inputs: files.Inputs, scorer: Scorer | None, sinks: Sinks | None, stop: asyncio.Event
    ) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                crew = Crew(tasks, stop)
                crew.helps(self.health.watch_loop(self.telemetry))
                if scorer is not None:
                    self._start_score(crew, broker, inputs, scorer)
                if "watch" in self.stages:
                    self._start_watch(crew, broker, inputs, "watch")
                    if inputs.rules.rolls_up:
                        self._start_watch(crew, broker, inputs, ROLLUPS)
                if sinks is not None:
                    self._start_serve(crew, broker, inputs, sinks)
                if self.settings.watch.poll_s:
                    crew.helps(self._reloader(crew, broker, inputs).run())
                address = f"{self.settings.http.host}:{self.http.port if self.http else 0}"
                self.telemetry.emit(ev.ServiceStarted(__version__, self.stages, address))
                await stop.wait()
                self.telemetry.emit(ev.ServiceStopping("asked to stop"))
                started = time.monotonic()
                self.health.set("stopping", False, "the daemon is stopping")
                await crew.rest()
            self.telemetry.emit(ev.ServiceStopped(time.monotonic() - started))
        except BaseExceptionGroup as group:
            raise first_error(group) from group

    def _start_score(self, crew: Crew, broker: Broker, inputs: files.Inputs, scorer: Scorer) -> None:
        assert self._worker is not None
        processor = self._scoring = making.score_processor(
            self.settings, inputs, scorer, self._worker, self._taster, telemetry=self.telemetry, now_ms=self._now_ms
        )
        crew.helps(processor.run())
        crew.helps(self._watch_model())
        if self._loaded is not None and self._loaded.pin is not None:
            self._follower = Follower(
                self.settings.models, self._loaded, inputs.rules, self._take_model, telemetry=self.telemetry
            )
            crew.helps(self._follower.run())
        crew.works(self._stage("score", broker, inputs.starts, processor))

    def _start_watch(self, crew: Crew, broker: Broker, inputs: files.Inputs, name: str) -> None:
        topics = self.settings.topics
        reads, kept = (topics.rollups, topics.rollups_state) if name == ROLLUPS else (topics.signals, topics.state)
        processor = making.watch_processor(
            self.settings,
            inputs.in_force,
            Memory(broker.state(kept), kept, self._partitions[kept], self.settings.state.write_version),
            telemetry=self.telemetry,
            on_alert=self._on_alert,
            reads_rollups=name == ROLLUPS,
        )
        self._watching.append(processor)
        crew.helps(processor.run())
        crew.works(self._stage(name, broker, {reads: Start("earliest")}, processor))

    def _start_serve(self, crew: Crew, broker: Broker, inputs: files.Inputs, sinks: Sinks) -> None:
        alerts, read = self.settings.topics.alerts, asyncio.Event()
        assert self._board is not None
        tables: list[Table] = [self._board, *sinks.alertmanagers]
        crew.helps(follow_alerts(broker, alerts, tables, read, telemetry=self.telemetry, health=self.health))
        if self.http is not None and (bytes_max := self.settings.http.entity_bytes_max):
            states = States(self.settings.topics.state, bytes_max)
            self._pictures = self.http.reading.pictures = Pictures(states, inputs.in_force, self._now_ms)
            crew.helps(self._pictures.follow(broker, telemetry=self.telemetry))
        for sink in sinks.alertmanagers:
            crew.helps(sink.run(read))
        for name, hook in sinks.webhooks.items():
            crew.works(self._stage(name, broker, {alerts: SINKS_START}, hook))

    def _reloader(self, crew: Crew, broker: Broker, inputs: files.Inputs) -> Reloader:
        async def take(kind: ev.ConfigKind, now: files.Inputs) -> None:
            rules = now.rules
            if self._model is not None and "watch" in self.stages:
                files.check_rules_fit(rules, self._model)
            if "watch" in self.stages and rules.rolls_up and ROLLUPS not in self.running:
                self._partitions = await check_topics(broker, self.settings, self.stages, rollups=True)
                self._start_watch(crew, broker, now, ROLLUPS)
            if self._scoring is not None:
                matcher = await asyncio.to_thread(now.matcher) if kind == "watchlist" else None
                self._scoring.watch(matcher, hears=rules.hears)
            for processor in self._watching:
                processor.use(now.in_force)
            if self._follower is not None:
                self._follower.rules = rules
            if self._pictures is not None:
                self._pictures.use(now.in_force)
            self._tell_inputs(now, (kind,))

        return Reloader(self.settings.watch, inputs, take, telemetry=self.telemetry)

    def _stage(
        self,
        name: str,
        broker: Broker,
        starts: dict[str, Start],
        processor: Processor,
    ) -> Stage:
        stage = Stage(
            name,
            broker,
            self.settings.app,
            starts,
            processor if self._traces is None else self._traces.around(name, processor),
            self.settings.stages,
            telemetry=self.telemetry,
            health=self.health,
            now_ms=self._now_ms,
            suspect=processor.suspect if isinstance(processor, ScoreProcessor) else None,
            watchdogs=self.settings.watchdogs,
        )
        self.running[name] = stage
        return stage

    async def _load_model(self, inputs: files.Inputs) -> Scorer:
        self.health.set("model", False, "the model is loading")
        started = time.monotonic()
        if self._scorer is None:
            self._loaded = await asyncio.to_thread(load_checked, self.settings)
        scorer = self._scorer or self._loaded.scorer  # type: ignore[union-attr]
        if "watch" in self.stages:
            files.check_rules_fit(inputs.rules, scorer)
        self._model = scorer
        self._worker = Worker(scorer) if self._traces is None else self._traces.worker(scorer)
        unchecked = self._loaded is not None and self._loaded.unchecked
        seconds = time.monotonic() - started
        self.telemetry.emit(ev.ModelLoaded(scorer.name, scorer.backend, seconds, unchecked=unchecked))
        self.health.set("model", True)
        assert self.http is not None
        scoring = self.settings.scoring
        desk = Desk(parts.window_limits(scoring), parts.explain_policy(scoring).limits)
        self.http.scoring.score = partial(score_pairs, self._worker, desk)
        self.http.scoring.show(scorer, self._now_ms())
        return scorer

    async def _watch_model(self) -> None:
        """Until cancelled. Raises DeviceLost where a batch does not come back from the model."""
        assert self._worker is not None
        limit_s = self.settings.watchdogs.batch_s_max
        await self._worker.until_stuck(limit_s)
        detail = f"a batch has been in the model for {limit_s:g} s; the process ends, and its records come again"
        self.telemetry.emit(WatchdogBarked("model", detail))
        self.health.dead("model", detail)
        self._worker.abandon()
        raise DeviceLost(detail)

    def _take_model(self, scorer: Scorer) -> None:
        """Another version scores from the next batch on."""
        assert self._worker is not None
        assert self.http is not None
        assert self._scoring is not None
        self._model = scorer
        self._scoring.use(scorer)
        self._worker.use(scorer)
        self.http.scoring.show(scorer, self._now_ms())
