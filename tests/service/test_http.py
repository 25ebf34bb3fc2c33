"""The HTTP port over a real socket: who may ask, what is answered, and what the table of alerts keeps."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from jsonschema import Draft202012Validator

from riskstream.core.clock import format_ms
from riskstream.core.errors import OperatorError
from riskstream.core.records import Alert, AlertState, Mention, Severity, SubjectRef
from riskstream.scoring.manifest import read_manifest
from riskstream.scoring.plain import ConstantScorer
from riskstream.service.ask import score_chunk
from riskstream.service.health import Health
from riskstream.service.http import scoring
from riskstream.service.http.answers import BODY_BYTES_MAX
from riskstream.service.http.openapi import OPERATIONS, document
from riskstream.service.http.server import HttpServer
from riskstream.service.question import Wishes
from riskstream.service.stages.board import Board
from riskstream.telemetry import Metrics, Telemetry
from riskstream.telemetry.events import CacheHits

ROOT = Path(__file__).parents[2]
Ask = Callable[..., Awaitable[tuple[int, Any, Any]]]


def alert(
    alert_id: str,
    sequence: int = 1,
    state: AlertState = "firing",
    *,
    at_ms: int = 0,
    entity: str = "ACME",
    severity: Severity = "severe",
    by: str = "entity",
) -> Alert:
    """A whole alert of which only these fields matter."""
    mention = Mention(entity, entity.title(), entity, 1.0) if by == "entity" else None
    at = format_ms(at_ms)
    return Alert(
        alert_id, sequence, "credit-shock", "sha256:0", SubjectRef(by, entity, entity.title()), mention,
        state, severity, "threshold", "fired", 0.9, 0.8, at, at, at if state == "resolved" else None, at,
        1, 1, 1, "", {}, (), "finrisk@1",
    )  # fmt: skip


async def score(pairs: Sequence[tuple[str, str]], wishes: Sequence[Wishes]) -> list[dict[str, object]]:
    """A model that knows how long a text is, and what was wished."""
    return [
        {"risk_score": len(text) / 100} | ({"wish": msgspec.structs.asdict(wish)} if wish.explain else {})
        for (_, text), wish in zip(pairs, wishes, strict=True)
    ]


async def scored(pairs: Sequence[tuple[str, str]], _wishes: Sequence[Wishes]) -> list[dict[str, object]]:
    """What the daemon answers, by a model that says the same of all texts."""
    lines = [msgspec.json.encode({"entity": entity, "text": text}) for entity, text in pairs]
    told = [msgspec.to_builtins(one) for one in score_chunk(lines, ConstantScorer(), wishes=Wishes(True, True, 0.0))]
    return [{name: value for name, value in one.items() if name not in ("id", "entity")} for one in told]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Ask]]]:
    """Starts servers and gives a way to ask each; everything is stopped afterwards."""
    servers: list[HttpServer] = []
    async with aiohttp.ClientSession() as session:

        async def start(**options: Any) -> Ask:
            model = options.pop("model", None)
            parts: dict[str, Any] = {"health": Health(), "metrics": Metrics()} | options
            server = HttpServer("127.0.0.1", 0, **parts)
            if model is not None:
                server.scoring.show(model, 0)
            await server.start()
            servers.append(server)

            async def ask(method: str, path: str, **more: Any) -> tuple[int, Any, Any]:
                url = f"http://127.0.0.1:{server.port}{path}"
                async with session.request(method, url, **more) as answer:
                    text = await answer.text()
                    is_json = answer.content_type == "application/json"
                    return answer.status, json.loads(text) if is_json and text else text, answer.headers

            return ask

        yield start
        for server in servers:
            await server.stop()


Serve = Callable[..., Awaitable[Ask]]


async def test_readiness_names_every_condition_and_what_is_wrong_with_it(serve: Serve) -> None:
    health = Health()
    ask = await serve(health=health)
    assert (await ask("GET", "/readyz"))[:2] == (503, {"ready": False, "conditions": {"loop": "ok"}})
    health.set("model", False, "the model is loading")
    health.set("score.lanes", True)
    conditions = {"loop": "ok", "model": "the model is loading", "score.lanes": "ok"}
    assert (await ask("GET", "/readyz"))[:2] == (503, {"ready": False, "conditions": conditions})
    health.set("model", True)
    assert (await ask("GET", "/readyz"))[:2] == (200, {"ready": True, "conditions": conditions | {"model": "ok"}})
    assert (await ask("GET", "/livez"))[:2] == (200, {"live": True, "broken": {}})
    health.dead("model", "its thread ended")
    assert (await ask("GET", "/livez"))[:2] == (503, {"live": False, "broken": {"model": "its thread ended"}})
    assert (await ask("GET", "/readyz"))[0] == 503


async def test_metrics_are_open_and_follow_the_scraper(serve: Serve) -> None:
    metrics = Metrics()
    Telemetry(metrics).emit(CacheHits(3))
    ask = await serve(metrics=metrics)
    status, text, headers = await ask("GET", "/metrics")
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert "riskstream_cache_hits_total 3.0" in text
    _, text, headers = await ask("GET", "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


TOKEN = {"Authorization": "Bearer s3cret"}


@pytest.mark.parametrize(
    ("options", "headers", "status"),
    [
        ({}, {}, 403),
        ({}, TOKEN, 403),
        ({"open_api": True}, {}, 200),
        ({"tokens": "s3cret\n"}, TOKEN, 200),
        ({"tokens": "s3cret"}, {}, 401),
        ({"tokens": "s3cret"}, {"Authorization": "Bearer wrong"}, 401),
        ({"tokens": "s3cret"}, {"Authorization": "Basic s3cret"}, 401),
        ({"tokens": "s3cret"}, {"Authorization": "Bearer ünï"}, 401),
        ({"tokens": "s3cret", "open_api": True}, {}, 401),
        ({"tokens": "desk: other\nrobot:s3cret\n"}, TOKEN, 200),
        ({"tokens": "robot:s3cret"}, {"Authorization": "Bearer robot:s3cret"}, 401),
        ({"tokens": "s3cret"}, {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}, 401),
    ],
)
async def test_who_may_ask(serve: Serve, options: dict[str, Any], headers: dict[str, str], status: int) -> None:
    ask = await serve(board=Board(), score=score, **options)
    assert (await ask("GET", "/v1/alerts", headers=headers))[0] == status
    assert (await ask("GET", "/v1/entities/ACME", headers=headers))[0] == status
    assert (await ask("POST", "/v1/score", headers=headers, json={"text": "x"}))[0] == status
    assert (await ask("GET", "/livez"))[0] == 200


async def test_a_closed_api_says_how_to_open_it(serve: Serve) -> None:
    ask = await serve()
    status, body, _ = await ask("GET", "/v1/nothing")
    assert (status, body["error"]) == (403, "closed")
    assert "http.token_file" in body["detail"]
    ask = await serve(tokens="s3cret")
    assert (await ask("GET", "/v1/alerts"))[2]["WWW-Authenticate"].startswith("Bearer")


async def test_texts_are_scored_in_order_and_ids_come_back(serve: Serve) -> None:
    ask = await serve(score=score, open_api=True)
    one = {"text": "A" * 50, "entity": "ACME", "id": "d1"}
    assert (await ask("POST", "/v1/score", json=one))[:2] == (200, {"id": "d1", "entity": "ACME", "risk_score": 0.5})
    status, rows, _ = await ask("POST", "/v1/score", json=[{"text": "ab", "id": 7}, {"text": "违约"}])
    assert status == 200
    assert rows == [{"id": 7, "entity": "", "risk_score": 0.02}, {"id": None, "entity": "", "risk_score": 0.02}]


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        (b"", 400, "truncated"),
        (b"nonsense", 400, "malformed"),
        (b"{}", 400, "text"),
        (b'{"text": ""}', 400, "length >= 1"),
        (b'{"text": 5}', 400, "$.text"),
        (b'[{"text": "a"}, {"text": null}]', 400, "$[1].text"),
        (b"[]", 400, "length >= 1"),
        (b"[" + b",".join([b'{"text":"a"}'] * 257) + b"]", 400, "length <= 256"),
        (b'{"text": "\\ud800"}', 400, "truncated"),  # a lone surrogate
        (b'{"text": "\xff"}', 400, "utf-8"),
        (b'{"text": "' + b"a" * BODY_BYTES_MAX + b'"}', 413, "bytes"),
    ],
    ids=lambda value: repr(value)[:24],
)
async def test_a_body_that_cannot_be_scored_is_refused_with_the_place(
    serve: Serve, body: bytes, status: int, part: str
) -> None:
    ask = await serve(score=score, open_api=True)
    answered, told, _ = await ask("POST", "/v1/score", data=body)
    assert answered == status
    assert part in told["detail"]


async def test_a_process_without_the_part_says_which_one_has_it(serve: Serve) -> None:
    health = Health()
    ask = await serve(health=health, open_api=True)
    for method, path, word in [
        ("POST", "/v1/score", "score stage"),
        ("GET", "/v1/model", "score stage"),
        ("GET", "/v1/alerts", "serve stage"),
        ("GET", "/v1/entities/ACME", "serve stage"),
    ]:
        status, body, _ = await ask(method, path, data=b"{}")
        assert status == 404
        assert word in body["detail"]
    health.set("model", False, "the model is loading")
    assert (await ask("POST", "/v1/score", data=b"{}"))[:2] == (
        503,
        {"error": "not_ready", "detail": "the model is loading"},
    )


async def test_other_routes_and_methods_are_refused_in_json(serve: Serve) -> None:
    ask = await serve(open_api=True)
    assert (await ask("GET", "/nowhere"))[:2] == (404, {"error": "not_found", "detail": "Not Found"})
    status, body, headers = await ask("PUT", "/v1/alerts")
    assert (status, body["error"]) == (405, "method_not_allowed")
    assert "GET" in headers["Allow"]
    assert "Server" not in headers


async def test_a_fault_of_ours_is_500_without_a_traceback_and_one_line(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(pairs: Sequence[tuple[str, str]], wishes: Sequence[Wishes]) -> list[dict[str, object]]:
        raise KeyError("a secret detail")

    ask = await serve(score=broken, open_api=True)
    status, body, _ = await ask("POST", "/v1/score", json={"text": "x"})
    assert (status, body["error"]) == (500, "internal_error")
    assert "secret" not in json.dumps(body)
    lines = [record for record in caplog.records if record.name == "riskstream"]
    assert [line.levelname for line in lines] == ["ERROR"]
    assert "KeyError" in str(lines[0].msg)


async def test_more_requests_than_the_model_can_take_are_told_to_come_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "SCORING_MAX", 1)
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(pairs: Sequence[tuple[str, str]], wishes: Sequence[Wishes]) -> list[dict[str, object]]:
        entered.set()
        await go_on.wait()
        return await score(pairs, wishes)

    ask = await serve(score=slow, open_api=True)
    first = asyncio.ensure_future(ask("POST", "/v1/score", json={"text": "x"}))
    await entered.wait()
    status, body, headers = await ask("POST", "/v1/score", json={"text": "x"})
    assert (status, body["error"], headers["Retry-After"]) == (503, "busy", "1")
    go_on.set()
    assert (await first)[0] == 200


async def test_alerts_are_the_open_ones_newest_first(serve: Serve) -> None:
    board = Board()
    board.put(alert("a", at_ms=1))
    board.put(alert("b", at_ms=2, severity="watch", entity="ZEN/1"))
    board.put(alert("c", at_ms=3, state="resolved"))
    ask = await serve(board=board, open_api=True)
    _, body, _ = await ask("GET", "/v1/alerts")
    assert ([found["alert_id"] for found in body["alerts"]], body["total"]) == (["b", "a"], 2)
    _, body, _ = await ask("GET", "/v1/alerts?severity=severe&limit=1")
    assert ([found["alert_id"] for found in body["alerts"]], body["total"]) == (["a"], 1)
    _, body, _ = await ask("GET", "/v1/entities/ACME")
    assert [found["alert_id"] for found in body["open"]] == ["a"]
    assert [found["alert_id"] for found in body["resolved"]] == ["c"]
    _, body, _ = await ask("GET", "/v1/entities/ZEN/1")
    assert body["open"][0]["subject"]["id"] == "ZEN/1"


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("limit=0", "from 1 to 1000"),
        ("limit=1001", "from 1 to 1000"),
        ("limit=many", "$.limit"),
        ("state=closed", "$.state"),
        ("severity=bad", "$.severity"),
        ("entitiy=ACME", "entitiy"),
        ("rule=a&rule=b", "rule is given twice"),
        ("cursor=nonsense", "cursor = 'nonsense'"),
    ],
)
async def test_a_query_that_does_not_fit_is_refused_by_its_name(serve: Serve, query: str, part: str) -> None:
    ask = await serve(board=Board(), open_api=True)
    status, body, _ = await ask("GET", f"/v1/alerts?{query}")
    assert (status, body["error"]) == (400, "bad_request")
    assert part in body["detail"]


async def test_pages_follow_each_other_while_alerts_come(serve: Serve) -> None:
    board = Board()
    for number in range(5):
        board.put(alert(f"a{number}", at_ms=number))
    ask = await serve(board=board, open_api=True)
    seen, cursor = [], ""
    while True:
        _, body, _ = await ask("GET", f"/v1/alerts?limit=2&cursor={cursor}")
        seen += [found["alert_id"] for found in body["alerts"]]
        board.put(alert(f"later{len(seen)}", at_ms=100 + len(seen)))
        if (cursor := body["next"]) is None:
            break
    assert seen == ["a4", "a3", "a2", "a1", "a0"]


async def test_each_token_has_its_own_allowance(serve: Serve) -> None:
    ask = await serve(board=Board(), tokens="a:one\nb:two", requests_per_s_max=0.001)
    one, two = {"Authorization": "Bearer one"}, {"Authorization": "Bearer two"}
    assert (await ask("GET", "/v1/alerts", headers=one))[0] == 200
    status, body, headers = await ask("GET", "/v1/alerts", headers=one)
    assert (status, body["error"]) == (429, "too_many_requests")
    assert 900 < int(headers["Retry-After"]) <= 1000
    assert (await ask("GET", "/v1/alerts", headers=two))[0] == 200
    assert (await ask("GET", "/livez", headers=one))[0] == 200


async def test_strangers_share_an_allowance_that_takes_nothing_from_a_caller(serve: Serve) -> None:
    ask = await serve(board=Board(), tokens="a:one", requests_per_s_max=2)
    wrong = [{"Authorization": f"Bearer guess-{number}"} for number in range(4)] + [{}]
    answers = [await ask("GET", "/v1/alerts", headers=headers) for headers in wrong]
    assert [status for status, _, _ in answers] == [401, 401, 429, 429, 429]
    _, body, headers = answers[-1]
    assert "without a token" in body["detail"]
    assert (headers["Retry-After"], headers["Connection"]) == ("1", "close")
    assert (await ask("GET", "/v1/alerts", headers={"Authorization": "Bearer one"}))[0] == 200


async def test_the_model_says_what_it_is_and_since_when(serve: Serve) -> None:
    status, facts, _ = await (await serve(open_api=True, model=ConstantScorer()))("GET", "/v1/model")
    assert (status, facts["name"], facts["version"], facts["since_at"]) == (200, "constant", "1", format_ms(0))
    assert facts["labels"]["severity"] == list(ConstantScorer().labels.severity)
    assert facts["thresholds"] is None  # a model without a manifest


def described(path: str, method: str, status: int) -> Draft202012Validator:
    """The schema of the document for one answer."""
    told = document("1")
    content = told["paths"][path][method]["responses"][str(status)]["content"]
    return Draft202012Validator(content["application/json"]["schema"] | {"components": told["components"]})


def test_the_document_has_every_route_and_no_other() -> None:
    server = HttpServer("127.0.0.1", 0, health=Health(), metrics=Metrics())
    routes = {(route.method, route.path.replace(":.+", "")) for route in server.routes()}
    assert routes == {(one.method.upper(), one.path) for one in OPERATIONS}
    for schema in document("1")["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("has", ["everything", "nothing", "no token"])
async def test_every_answer_is_as_the_document_says(serve: Serve, has: str) -> None:
    board, health = Board(), Health()
    board.put(alert("a"))
    full: dict[str, Any] = {"board": board, "score": scored, "model": ConstantScorer()}
    options = {"everything": full | {"open_api": True}, "nothing": {"open_api": True}, "no token": full}[has]
    ask = await serve(health=health, **options)
    seen = set()
    for method, path, more in [
        ("get", "/livez", {}),
        ("get", "/readyz", {}),
        ("get", "/v1/alerts?state=any&limit=1", {}),
        ("get", "/v1/alerts?limit=0", {}),
        ("get", "/v1/entities/ACME", {}),
        ("get", "/v1/model", {}),
        ("get", "/v1/openapi.json", {}),
        ("post", "/v1/score", {"json": [{"text": "Acme falls"}]}),
        ("post", "/v1/score", {"json": {"text": "Acme falls"}}),
        ("post", "/v1/score", {"json": {}}),
    ]:
        status, body, _ = await ask(method.upper(), path, **more)
        named = path.partition("?")[0].replace("ACME", "{id}")
        seen.add(status)
        described(named, method, status).validate(body)
    assert seen == {"everything": {200, 400, 503}, "nothing": {200, 404, 503}, "no token": {200, 403, 503}}[has]


def test_a_schema_of_the_document_can_refuse() -> None:
    assert not described("/v1/alerts", "get", 200).is_valid({"alerts": [{"alert_id": "a"}], "total": 1})
    assert not described("/v1/alerts", "get", 400).is_valid({"error": "x"})


def test_thresholds_are_those_of_the_manifest() -> None:
    manifest = read_manifest(next((ROOT / "models" / "finrisk").glob("[0-9]*")))
    scorer = ConstantScorer()
    scorer.manifest = manifest  # type: ignore[attr-defined]
    assert scoring.facts_of(scorer, 0).thresholds == manifest.thresholds


async def test_bytes_that_are_no_http_are_refused_and_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    server = HttpServer("127.0.0.1", 0, health=Health(), metrics=Metrics(), tokens="s3cret")
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /v1/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\x00\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.0 400")
    writer.close()
    await server.stop()
    assert caplog.text == ""


@pytest.mark.parametrize(("model", "code"), [("whole", 0), ("broken", 1)])
async def test_no_request_makes_the_port_fail(tmp_path: Path, model: str, code: int) -> None:
    """Schemathesis makes requests from the document, good and bad; the second case shows that it finds faults."""

    async def broken(_pairs: Sequence[tuple[str, str]], _wishes: Sequence[Wishes]) -> list[dict[str, object]]:
        raise KeyError("planted")

    board, health = Board(), Health()
    board.put(alert("a"))
    health.set("model", True)
    how: dict[str, Any] = {"tokens": "s3cret", "requests_per_s_max": 10_000, "board": board, "health": health}
    server = HttpServer("127.0.0.1", 0, metrics=Metrics(), score=scored if model == "whole" else broken, **how)
    server.scoring.show(ConstantScorer(), 0)
    await server.start()
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "schemathesis", "run", f"http://127.0.0.1:{server.port}/v1/openapi.json",
        "--header", "Authorization: Bearer s3cret", "--phases", "coverage,fuzzing", "--max-examples", "15",
        "--exclude-checks", "positive_data_acceptance",  # a cursor is opaque: most texts are none
        "--request-timeout", "20", "--seed", "1", "--no-color", cwd=tmp_path, stdout=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(240):
        told, _ = await process.communicate()
    await server.stop()
    assert process.returncode == code, told.decode()
    assert (b"Server error" in told) == (model == "broken"), told.decode()


async def test_a_port_in_use_is_the_operators_to_mend() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = HttpServer("127.0.0.1", port, health=Health(), metrics=Metrics())
        with pytest.raises(OperatorError, match=rf"http.port = {port}: is in use. Fix: choose another"):
            await server.start()
        await server.stop()


async def test_a_host_that_is_not_ours_and_an_empty_token_are_the_operators_to_mend() -> None:
    with pytest.raises(OperatorError, match=r"http\.host"):
        await HttpServer("192.0.2.1", 0, health=Health(), metrics=Metrics()).start()
    with pytest.raises(OperatorError, match=r"http\.token_file"):
        HttpServer("127.0.0.1", 0, health=Health(), metrics=Metrics(), tokens=" \n")


async def test_the_loop_is_watched_and_a_silent_one_is_not_live() -> None:
    health, metrics = Health(loop_silent_ms_max=5_000), Metrics()
    watching = asyncio.create_task(health.watch_loop(Telemetry(metrics), period_s=0.01))
    await asyncio.sleep(0.03)
    time.sleep(0.05)  # noqa: ASYNC251 - blocking the loop is the point
    await asyncio.sleep(0.03)
    watching.cancel()
    lag = metrics.registry.get_sample_value("riskstream_loop_lag_seconds_sum")
    assert lag is not None
    assert lag >= 0.03
    health.beat(1_000)
    assert health.live(6_000) == (True, {})
    assert health.live(6_001) == (False, {"loop": "the event loop was silent for 5.0 s"})


def test_the_board_keeps_the_greatest_sequence_and_honours_tombstones() -> None:
    board = Board()
    board.put(alert("a", 2, "updated"))
    board.put(alert("a", 1))
    assert [kept.sequence for kept in board.open()] == [2]
    board.put(alert("a", 3, "resolved"))
    assert board.open() == []
    assert [kept.sequence for kept in board.for_entity("ACME")] == [3]
    board.forget("a")
    board.forget("never there")
    assert len(board) == 0


def test_a_full_board_drops_the_oldest_resolved_alerts_first() -> None:
    board = Board(alerts_max=3)
    board.put(alert("open-old", at_ms=0))
    board.put(alert("resolved-new", state="resolved", at_ms=9))
    board.put(alert("resolved-old", state="resolved", at_ms=5))
    board.put(alert("open-new", at_ms=10))
    assert [kept.alert_id for kept in board.for_entity("ACME")] == ["open-new", "resolved-new", "open-old"]


def test_an_alert_about_a_group_is_no_entitys() -> None:
    board = Board()
    board.put(alert("g", entity="banks", by="group"))
    assert board.for_entity("banks") == []
    assert len(board.open()) == 1
