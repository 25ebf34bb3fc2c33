"""The HTTP port: whatever body or query comes, an answer that the document names, and the next request is answered."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import aiohttp
from hypothesis import given
from hypothesis import strategies as st

from riskstream.service.health import Health
from riskstream.service.http.server import HttpServer
from riskstream.service.stages.board import Board
from riskstream.telemetry import Metrics
from tests.fuzz.damage import ANYTHING, altered, as_json, damaged, fuzz
from tests.service.test_http import score

TEXTS = {"texts": [{"id": "a", "text": "Acme fails", "entity": "Acme"}, {"text": "Bolt"}], "explain": True}
GOOD = st.sampled_from([{"text": "Acme fails", "entity": "Acme"}, TEXTS])
BODIES = (
    damaged(GOOD.map(as_json)) | GOOD.flatmap(altered).map(as_json) | ANYTHING.map(as_json) | st.binary(max_size=200)
)
NAMES = st.sampled_from(["state", "entity", "rule", "severity", "limit", "cursor", "x"])
QUERIES = st.lists(
    st.tuples(NAMES, st.text(max_size=30) | st.sampled_from(["open", "-1", "9" * 400, "\x00"])), max_size=4
)
ANSWERS = {200, 400, 404, 413, 415, 422}


@fuzz(share=0.05, few=3, shrink=False)
@given(bodies=st.lists(BODIES, min_size=20, max_size=20), queries=st.lists(QUERIES, min_size=20, max_size=20))
def test_requests(bodies: list[bytes], queries: list[list[tuple[str, str]]]) -> None:
    asyncio.run(asked(bodies, queries))


async def asked(bodies: list[bytes], queries: list[list[tuple[str, str]]]) -> None:
    server = HttpServer(
        "127.0.0.1", 0, health=Health(), metrics=Metrics(), board=Board(), score=score, open_api=True,
        requests_per_s_max=10_000,
    )  # fmt: skip
    await server.start()
    base = f"http://127.0.0.1:{server.port}"
    try:
        async with aiohttp.ClientSession() as session:
            for body in bodies:
                kind = {"Content-Type": "application/json"}
                async with session.post(f"{base}/v1/score", data=body, headers=kind) as answer:
                    await told(answer, body)
            for query in queries:
                text = "&".join(f"{name}={quote(value)}" for name, value in query)
                for path in ("/v1/alerts?" + text, "/v1/entities/" + quote(text or "x", safe="")):
                    async with session.get(base + path) as answer:
                        await told(answer, path)
            async with session.get(f"{base}/livez") as answer:
                assert answer.status in (200, 503)
    finally:
        await server.stop()


async def told(answer: aiohttp.ClientResponse, asked: Any) -> None:
    """One of the answers that there are, as JSON, without a word of ours about a fault."""
    text = await answer.text()
    assert answer.status in ANSWERS, (asked, text)
    found = json.loads(text)
    assert answer.status == 200 or {"error", "detail"} <= found.keys()
