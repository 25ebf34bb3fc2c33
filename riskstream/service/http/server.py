"""The one port: probes and metrics for the platform, scores and alerts for programs.

    /livez  /readyz  /metrics                       open, for probes and scrapers
    POST /v1/score   GET /v1/model                  scoring.py ┐
    GET /v1/alerts   GET /v1/entities/…             alerts.py  ┼ guard.py: with a token, or with `http.open = true`
    GET /v1/openapi.json                            openapi.py ┘

Rule 1. Every answer of ours is JSON, errors too (`answers.py`), and a fault of ours is 500 with one line in the log.
Rule 2. Nothing of a request gets into the log but its method and the pattern of its path.
Rule 3. What a caller can make us hold is bounded: body bytes, texts a request, requests at a time and a second.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import traceback
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from riskstream import __version__
from riskstream.core.asking.callers import parse_callers
from riskstream.core.errors import OperatorError
from riskstream.sections import Http
from riskstream.service.health import Health
from riskstream.service.http.alerts import Reading
from riskstream.service.http.answers import BODY_BYTES_MAX, Live, Ready, refused, told
from riskstream.service.http.guard import Guard
from riskstream.service.http.openapi import document
from riskstream.service.http.scoring import Score, Scoring
from riskstream.service.question import Wishes
from riskstream.service.stages.board import Board
from riskstream.telemetry import Metrics, Telemetry
from riskstream.telemetry.events import RequestFailed


def _now_ms() -> int:
    return round(asyncio.get_running_loop().time() * 1000)


class HttpServer:
    """The HTTP port of one daemon. `scoring` is told of the model once it is there; `tokens` is a token file's text."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        health: Health,
        metrics: Metrics,
        board: Board | None = None,
        score: Score | None = None,
        tokens: str | None = None,
        open_api: bool = False,
        requests_per_s_max: float = Http().requests_per_s_max,
        risk_score_min: float = Wishes().risk_score_min,
    ) -> None:
        self.scoring = Scoring(health, score, risk_score_min=risk_score_min)
        self.reading = Reading(board)
        callers = None if tokens is None else parse_callers(tokens)
        self._guard = Guard(callers, is_open=open_api, requests_per_s_max=requests_per_s_max)
        self._host, self._asked_port = host, port
        self._health, self._metrics = health, metrics
        self._telemetry = Telemetry(metrics)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OperatorError where the address cannot be had."""
        app = web.Application(middlewares=[self._answer], client_max_size=BODY_BYTES_MAX)
        app.add_routes(self.routes())
        app.on_response_prepare.append(_no_server_header)
        self._runner = web.AppRunner(
            app, access_log=None, logger=_wire_log(), handle_signals=False, shutdown_timeout=5.0
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._asked_port).start()
        except OSError as error:
            await self._runner.cleanup()
            self._runner = None
            raise self._cannot_listen(error) from None

    def routes(self) -> list[web.RouteDef]:
        """All that is answered."""
        return [
            web.get("/livez", self._livez),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._show_metrics),
            web.post("/v1/score", self.scoring.post_score),
            web.get("/v1/model", self.scoring.get_model),
            web.get("/v1/alerts", self.reading.get_alerts),
            web.get("/v1/entities/{id:.+}", self.reading.get_entity),
            web.get("/v1/openapi.json", self._show_document),
        ]

    @property
    def port(self) -> int:
        """The port that it listens on: the one asked for, or the free one that was found where that was 0."""
        if self._runner is None:
            return self._asked_port
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Let go of the port; requests that are under way have 5 s to end."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _cannot_listen(self, error: OSError) -> OperatorError:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            problem = "is in use" if error.errno == errno.EADDRINUSE else "may not be opened by this user"
            return OperatorError("http.port", self._asked_port, problem, "choose another, or 0 for any free port")
        problem = f"cannot be listened on: {error.strerror or error}"
        return OperatorError("http.host", self._host, problem, "use 127.0.0.1, 0.0.0.0 or an address of this machine")

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Who may ask, and errors as JSON."""
        try:
            refusal = self._guard.refusal(request) if request.path.startswith("/v1/") else None
            return refusal or await handler(request)
        except web.HTTPException as error:
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            detail = f"a body may have {BODY_BYTES_MAX} bytes" if error.status == 413 else error.reason
            return refused(error.status, error.reason.lower().replace(" ", "_"), detail, **allowed)
        except Exception as error:
            resource = request.match_info.route.resource
            route = "unknown" if resource is None else resource.canonical
            self._telemetry.emit(RequestFailed(request.method, route, repr(error), traceback.format_exc()))
            return refused(500, "internal_error", "this is a fault of ours; the daemon's log has the cause")

    async def _livez(self, _request: web.Request) -> web.Response:
        live, broken = self._health.live(_now_ms())
        return told(Live(live, broken), 200 if live else 503)

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready, conditions = self._health.ready(_now_ms())
        return told(Ready(ready, conditions), 200 if ready else 503)

    async def _show_metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._metrics.render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _show_document(self, _request: web.Request) -> web.Response:
        return told(document(__version__))


def _wire_log() -> logging.Logger:
    """The library's log, without what is no HTTP: it would quote the caller's bytes, a token among them."""
    log = logging.getLogger("aiohttp.server.riskstream")
    log.addFilter(_is_no_callers_fault)
    return log


def _is_no_callers_fault(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _no_server_header(_request: web.Request, response: web.StreamResponse) -> None:
    """The library's name and version are nobody's business."""
    response.headers.pop("Server", None)
