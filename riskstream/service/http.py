"""The one port: probes and metrics for the platform, scores and alerts for programs.

    /livez  /readyz  /metrics                       open, for probes and scrapers
    POST /v1/score   GET /v1/alerts  /v1/entities/… with the bearer token, or with `http.open = true`

Rule 1. Who asks is told by the token alone. Peer addresses and forwarded headers are never read.
Rule 2. Every answer of ours is JSON, errors too: `{"error": …, "detail": …}`, and never a traceback.
Rule 3. What a caller can make us hold is bounded: body bytes, texts a request, requests at a time.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import msgspec
from aiohttp import web

from riskstream.core.errors import OperatorError
from riskstream.service.board import Board
from riskstream.service.health import Health
from riskstream.service.question import Wishes
from riskstream.telemetry import Metrics, Telemetry
from riskstream.telemetry.events import RequestFailed

Score = Callable[[Sequence[tuple[str, str]], Sequence[Wishes]], Awaitable[list[dict[str, object]]]]
"""(entity, text) pairs in, with what is wished beside the scores; one object of results each, in order."""

BODY_BYTES_MAX = 1_048_576
TEXTS_MAX = 256
"""Texts of one request: a few batches, so that one caller cannot fill the model's queue."""
SCORING_MAX = 16
"""Requests that are scored at a time; the next is told to come again."""
SCORE_S_MAX = 30.0
ALERTS_MAX = 1_000


class Text(msgspec.Struct, frozen=True):
    """One text to score, of the body of `POST /v1/score`."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    entity: str = ""
    id: str | int | None = None
    explain: bool = False
    passages: bool = False


BODY_SHAPE = '{"text": …, "entity"?: …, "id"?: …, "explain"?: true, "passages"?: true}'
_BODY = msgspec.json.Decoder(Text | Annotated[list[Text], msgspec.Meta(min_length=1, max_length=TEXTS_MAX)])


def _answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json")


def _refuse(status: int, error: str, detail: str, **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _answer({"error": error, "detail": detail}, status, named)


def _now_ms() -> int:
    return round(asyncio.get_running_loop().time() * 1000)


class HttpServer:
    """The HTTP port of one daemon. `score` may be set once a model is there."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        health: Health,
        metrics: Metrics,
        board: Board | None = None,
        score: Score | None = None,
        token: str | None = None,
        open_api: bool = False,
        risk_score_min: float = Wishes().risk_score_min,
    ) -> None:
        if token is not None and not token.strip():
            raise OperatorError("http.token_file", "", "is empty", "write a token into the file, or unset it")
        self.score = score
        self._host, self._asked_port = host, port
        self._health, self._metrics, self._board = health, metrics, board
        self._token = None if token is None else token.strip().encode()
        self._open_api = open_api
        self._telemetry = Telemetry(metrics)
        self._scoring = 0
        self._risk_score_min = risk_score_min
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OperatorError where the address cannot be had."""
        app = web.Application(middlewares=[self._guard], client_max_size=BODY_BYTES_MAX)
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._show_metrics),
                web.post("/v1/score", self._post_score),
                web.get("/v1/alerts", self._get_alerts),
                web.get("/v1/entities/{id:.+}", self._get_entity),
            ]
        )
        app.on_response_prepare.append(_no_server_header)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=5.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._asked_port).start()
        except OSError as error:
            await self._runner.cleanup()
            self._runner = None
            raise self._cannot_listen(error) from None

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
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Who may ask, and errors as JSON."""
        try:
            refusal = self._refusal(request) if request.path.startswith("/v1/") else None
            return refusal or await handler(request)
        except web.HTTPException as error:
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            detail = f"a body may have {BODY_BYTES_MAX} bytes" if error.status == 413 else error.reason
            return _refuse(error.status, error.reason.lower().replace(" ", "_"), detail, **allowed)
        except Exception as error:
            resource = request.match_info.route.resource
            route = "unknown" if resource is None else resource.canonical
            self._telemetry.emit(RequestFailed(request.method, route, repr(error), traceback.format_exc()))
            return _refuse(500, "internal_error", "this is a fault of ours; the daemon's log has the cause")

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self._token is not None:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._token)
            if scheme.lower() == "bearer" and same:
                return None
            detail = "send `Authorization: Bearer <token>` with the token of http.token_file"
            return _refuse(401, "unauthorized", detail, WWW_Authenticate='Bearer realm="riskstream"')
        if self._open_api:
            return None
        return _refuse(403, "closed", "the API is closed: set http.token_file, or http.open = true")

    async def _livez(self, _request: web.Request) -> web.Response:
        live, broken = self._health.live(_now_ms())
        return _answer({"live": live, "broken": broken}, 200 if live else 503)

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready, conditions = self._health.ready(_now_ms())
        return _answer({"ready": ready, "conditions": conditions}, 200 if ready else 503)

    async def _show_metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._metrics.render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _post_score(self, request: web.Request) -> web.Response:
        if why := self._health.why_not("model"):
            return _refuse(503, "not_ready", why, Retry_After="5")
        if self.score is None:
            return _refuse(404, "no_model", "this process has no model: ask one that runs the score stage")
        try:
            asked = _BODY.decode(await request.read())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _refuse(400, "bad_request", f"{error}; send {BODY_SHAPE} or a list of them")
        if self._scoring >= SCORING_MAX:
            return _refuse(503, "busy", f"{SCORING_MAX} requests are being scored", Retry_After="1")
        texts = asked if isinstance(asked, list) else [asked]
        self._scoring += 1
        try:
            async with asyncio.timeout(SCORE_S_MAX):
                results = await self.score(
                    [(text.entity, text.text) for text in texts],
                    [Wishes(text.explain, text.passages, self._risk_score_min) for text in texts],
                )
        except TimeoutError:
            return _refuse(503, "busy", f"no answer of the model within {SCORE_S_MAX:.0f} s", Retry_After="5")
        finally:
            self._scoring -= 1
        rows = [{"id": text.id, "entity": text.entity} | row for text, row in zip(texts, results, strict=True)]
        return _answer(rows if isinstance(asked, list) else rows[0])

    async def _get_alerts(self, request: web.Request) -> web.Response:
        if self._board is None:
            return _no_board()
        query = request.query
        try:
            limit = int(query.get("limit", "100"))
        except ValueError:
            limit = 0
        if not 1 <= limit <= ALERTS_MAX:
            return _refuse(400, "bad_request", f"limit = {query.get('limit')!r}: use a number from 1 to {ALERTS_MAX}")
        alerts = [
            alert
            for alert in self._board.open()
            if query.get("severity", alert.severity) == alert.severity and query.get("rule", alert.rule) == alert.rule
        ]
        return _answer({"alerts": alerts[:limit], "total": len(alerts)})

    async def _get_entity(self, request: web.Request) -> web.Response:
        if self._board is None:
            return _no_board()
        entity = request.match_info["id"]
        alerts = self._board.for_entity(entity)
        now_open = [alert for alert in alerts if alert.state != "resolved"]
        resolved = [alert for alert in alerts if alert.state == "resolved"]
        return _answer({"entity": entity, "open": now_open, "resolved": resolved[:ALERTS_MAX]})


def _no_board() -> web.Response:
    return _refuse(404, "no_alerts", "this process does not run the serve stage: ask one that does")


async def _no_server_header(_request: web.Request, response: web.StreamResponse) -> None:
    """The library's name and version are nobody's business."""
    response.headers.pop("Server", None)
