"""What works in a daemon, made from its settings: its port, and what its stages do with records.

Apart from `parts.py`, since a command that runs no daemon should not wait for the imports of one.
"""

from __future__ import annotations

from collections.abc import Callable

from riskstream.concealed import read_secret
from riskstream.core.ports import Scorer
from riskstream.core.records import Alert
from riskstream.core.watching.watch import WatchLimits
from riskstream.scoring.worker import Worker
from riskstream.service import parts
from riskstream.service.health import Health
from riskstream.service.http.server import HttpServer
from riskstream.service.stages.board import Board
from riskstream.service.stages.files import Inputs
from riskstream.service.stages.memory import Memory
from riskstream.service.stages.outcomes import ScoreTopics
from riskstream.service.stages.score import ScoreProcessor
from riskstream.service.stages.tasting import Taster
from riskstream.service.stages.watching import WatchProcessor, WatchTopics
from riskstream.service.stages.watchlane import InForce
from riskstream.settings import Settings
from riskstream.telemetry.emit import Telemetry
from riskstream.telemetry.metrics import Metrics


def http_server(settings: Settings, health: Health, metrics: Metrics, board: Board | None) -> HttpServer:
    """The one port."""
    http = settings.http
    return HttpServer(
        http.host,
        http.port,
        health=health,
        metrics=metrics,
        board=board,
        tokens=read_secret("http.token_file", http.token_file),
        open_api=http.open,
        requests_per_s_max=http.requests_per_s_max,
        risk_score_min=settings.scoring.explain_risk_score_min,
    )


def score_processor(
    settings: Settings,
    inputs: Inputs,
    scorer: Scorer,
    worker: Worker,
    taster: Taster,
    *,
    telemetry: Telemetry,
    now_ms: Callable[[], int],
) -> ScoreProcessor:
    """What the score stage does with texts."""
    s, topics = settings, settings.topics
    processor = ScoreProcessor(
        inputs.preparer(scorer, s.watch.entities_per_document_max, parts.window_limits(s.scoring)),
        worker,
        parts.batch_limits(s.batching),
        ScoreTopics(
            topics.signals,
            topics.dead_letters,
            s.dead_letters.bytes_max,
            topics.reviews,
            topics.rollups,
            s.watch.heartbeat_s * 1000,
        ),
        reviews=parts.review_policy(s.reviews),
        explain=parts.explain_policy(s.scoring),
        shedding=parts.shedding(s),
        telemetry=telemetry,
        now_ms=now_ms,
        taster=taster,
        cache_max=s.batching.cache_max,
    )
    processor.watch(None, hears=inputs.rules.hears)
    return processor


def watch_processor(
    settings: Settings,
    in_force: InForce,
    memory: Memory,
    *,
    telemetry: Telemetry,
    on_alert: Callable[[Alert], None] | None,
    reads_rollups: bool,
) -> WatchProcessor:
    """What the watch stage does with signals, or with what they contribute to others than entities."""
    s, topics = settings, settings.topics
    return WatchProcessor(
        in_force,
        WatchTopics(topics.alerts, topics.dead_letters, s.dead_letters.bytes_max, topics.rollups),
        memory,
        limits=WatchLimits(events_max=s.state.documents_max, subjects_max=s.state.subjects_max),
        tick_lag_ms=s.watch.tick_lag_ms,
        telemetry=telemetry,
        on_alert=on_alert,
        reads_rollups=reads_rollups,
    )
