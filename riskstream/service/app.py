"""The daemon: settings in, stages running, until it is told to stop.

    start   files ─► HTTP port ─► broker and topics ─► model ─► stages
    stop    stages drain and commit ─► model thread ─► broker ─► HTTP port

Rule 1. What an operator can mend is an OperatorError, raised before any partition is taken.
Rule 2. The daemon asks nobody to stop it: `run(stop)` ends when the event is set, drained, or raises.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from riskstream import __version__
from riskstream.core.errors import DeviceLost, OperatorError, first_error
from riskstream.core.ports import Broker, Scorer, Start
from riskstream.core.records import Alert
from riskstream.core.watch import WatchLimits
from riskstream.kafka.client import KafkaBroker
from riskstream.scoring.worker import Worker
from riskstream.service import parts
from riskstream.service.ask import Desk, score_pairs
from riskstream.service.board import Board
from riskstream.service.health import Health
from riskstream.service.http.server import HttpServer
from riskstream.service.lanes import Processor
from riskstream.service.memory import Memory
from riskstream.service.outcomes import ScoreTopics
from riskstream.service.score import ScoreProcessor
from riskstream.service.serving import Table, follow_alerts
from riskstream.service.sinks.sinks import START as SINKS_START
from riskstream.service.sinks.sinks import Sinks
from riskstream.service.stage import Stage
from riskstream.service.starting import check_topics, make_traces
from riskstream.service.swap import Follower, Loaded, load_first
from riskstream.service.taster import ChildTaster, score_as_daemon
from riskstream.service.tasting import Taster
from riskstream.service.watching import WatchProcessor, WatchTopics
from riskstream.settings import Settings, read_secret
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.events import ConfigLoaded, ModelLoaded, ServiceStarted, ServiceStopped, ServiceStopping
from riskstream.telemetry.watchdogs import WatchdogBarked

if TYPE_CHECKING:
    from riskstream.service.tracing import Traces

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
        self._partitions: Mapping[str, int] = {}
        self._traces = traces or make_traces(settings)
        self._board = Board() if "serve" in self.stages else None

    async def run(self, stop: asyncio.Event) -> None:
        """Start, work until `stop`, drain, let go. Raises OperatorError where the start cannot succeed."""
        settings = self.settings
        inputs = parts.read_inputs(settings)
        if "score" in self.stages and not inputs.starts:
            raise OperatorError("feed", [], "no feed is configured", "add a [[feed]] table with a name and a topic")
        self._tell_inputs(inputs)
        sinks = Sinks(settings.sink, telemetry=self.telemetry, now_ms=self._now_ms) if "serve" in self.stages else None
        self.http = self._make_http()
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

    def _tell_inputs(self, inputs: parts.Inputs) -> None:
        """Which files are in force here, and what can be counted because of them."""
        settings, expect, emit = self.settings, self.telemetry.metrics.expect, self.telemetry.emit
        expect(stages=[stage for stage in self.stages if stage != "serve"])
        if self.stages != ("serve",):
            emit(ConfigLoaded("watchlist", inputs.hashes["watchlist"], str(settings.watch.watchlist)))
        if "score" in self.stages:
            expect(feeds=[feed.name for feed in settings.feed])
        if "watch" in self.stages:
            expect(rules=[rule.name for rule in inputs.rules.rules])
            emit(ConfigLoaded("rules", inputs.hashes["rules"], str(settings.watch.rules)))

    async def _work(
        self, broker: Broker, inputs: parts.Inputs, scorer: Scorer | None, sinks: Sinks | None, stop: asyncio.Event
    ) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(self.health.watch_loop(self.telemetry))]
                working = []
                if scorer is not None:
                    processor = self._score_processor(inputs, scorer)
                    helpers.append(tasks.create_task(processor.run()))
                    helpers.append(tasks.create_task(self._watch_model()))
                    if self._loaded is not None and self._loaded.pin is not None:
                        follower = self._follower(inputs, self._loaded, processor)
                        helpers.append(tasks.create_task(follower.run()))
                    working.append(self._stage("score", broker, inputs.starts, processor))
                if "watch" in self.stages:
                    starts = {self.settings.topics.signals: Start("earliest")}
                    working.append(self._stage("watch", broker, starts, self._watch_processor(broker, inputs)))
                    if inputs.rules.rolls_up:
                        starts = {self.settings.topics.rollups: Start("earliest")}
                        others = self._watch_processor(broker, inputs, reads_rollups=True)
                        working.append(self._stage(ROLLUPS, broker, starts, others))
                if self._board is not None and sinks is not None:
                    alerts, read = self.settings.topics.alerts, asyncio.Event()
                    tables: list[Table] = [self._board, *sinks.alertmanagers]
                    following = follow_alerts(
                        broker, alerts, tables, read, telemetry=self.telemetry, health=self.health
                    )
                    helpers.append(tasks.create_task(following))
                    helpers += [tasks.create_task(sink.run(read)) for sink in sinks.alertmanagers]
                    starts = {alerts: SINKS_START}
                    working += [self._stage(name, broker, starts, hook) for name, hook in sinks.webhooks.items()]
                address = f"{self.settings.http.host}:{self.http.port if self.http else 0}"
                self.telemetry.emit(ServiceStarted(__version__, self.stages, address))
                running = [tasks.create_task(stage.run(stop)) for stage in working]
                await stop.wait()
                self.telemetry.emit(ServiceStopping("asked to stop"))
                started = time.monotonic()
                self.health.set("stopping", False, "the daemon is stopping")
                await asyncio.gather(*running)
                for helper in helpers:
                    helper.cancel()
            self.telemetry.emit(ServiceStopped(time.monotonic() - started))
        except BaseExceptionGroup as group:
            raise first_error(group) from group

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

    async def _load_model(self, inputs: parts.Inputs) -> Scorer:
        self.health.set("model", False, "the model is loading")
        started = time.monotonic()
        if self._scorer is None:
            self._loaded = await asyncio.to_thread(load_first, self.settings.models)
        scorer = self._scorer or self._loaded.scorer  # type: ignore[union-attr]
        if "watch" in self.stages:
            parts.check_rules_fit(inputs.rules, scorer)
        self._worker = Worker(scorer) if self._traces is None else self._traces.worker(scorer)
        unchecked = self._loaded is not None and self._loaded.unchecked
        seconds = time.monotonic() - started
        self.telemetry.emit(ModelLoaded(scorer.name, scorer.backend, seconds, unchecked=unchecked))
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

    def _follower(self, inputs: parts.Inputs, loaded: Loaded, processor: ScoreProcessor) -> Follower:
        def take(scorer: Scorer) -> None:
            assert self._worker is not None
            assert self.http is not None
            processor.use(scorer)
            self._worker.use(scorer)
            self.http.scoring.show(scorer, self._now_ms())

        return Follower(self.settings.models, loaded, inputs.rules, take, telemetry=self.telemetry)

    def _score_processor(self, inputs: parts.Inputs, scorer: Scorer) -> ScoreProcessor:
        s = self.settings
        assert self._worker is not None
        return ScoreProcessor(
            inputs.preparer(scorer, s.watch.entities_per_document_max, parts.window_limits(s.scoring)),
            self._worker,
            parts.batch_limits(s.batching),
            ScoreTopics(
                s.topics.signals,
                s.topics.dead_letters,
                s.dead_letters.bytes_max,
                s.topics.reviews,
                s.topics.rollups if inputs.rules.hears else "",
                s.watch.heartbeat_s * 1000,
            ),
            reviews=parts.review_policy(s.reviews),
            explain=parts.explain_policy(s.scoring),
            shedding=parts.shedding(s),
            telemetry=self.telemetry,
            now_ms=self._now_ms,
            taster=self._taster,
            cache_max=s.batching.cache_max,
        )

    def _watch_processor(self, broker: Broker, inputs: parts.Inputs, *, reads_rollups: bool = False) -> WatchProcessor:
        s = self.settings
        kept = s.topics.rollups_state if reads_rollups else s.topics.state
        return WatchProcessor(
            inputs.rules,
            inputs.watchlist,
            WatchTopics(s.topics.alerts, s.topics.dead_letters, s.dead_letters.bytes_max, s.topics.rollups),
            Memory(broker.state(kept), kept, self._partitions[kept], s.state.write_version),
            limits=WatchLimits(events_max=s.state.documents_max, subjects_max=s.state.subjects_max),
            config=f"{inputs.hashes['rules']} {inputs.hashes['watchlist']}",
            tick_lag_ms=s.watch.tick_lag_ms,
            telemetry=self.telemetry,
            on_alert=self._on_alert,
            reads_rollups=reads_rollups,
        )

    def _make_http(self) -> HttpServer:
        http = self.settings.http
        return HttpServer(
            http.host,
            http.port,
            health=self.health,
            metrics=self.telemetry.metrics,
            board=self._board,
            tokens=read_secret("http.token_file", http.token_file),
            open_api=http.open,
            requests_per_s_max=http.requests_per_s_max,
            risk_score_min=self.settings.scoring.explain_risk_score_min,
        )
