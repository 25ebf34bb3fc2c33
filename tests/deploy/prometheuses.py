"""A real Prometheus for a test: it scrapes one daemon every second and evaluates the rules of deploy/prometheus."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.deploy.charts import ROOT, tool

RULES = ROOT / "deploy" / "prometheus" / "riskstream.rules.yml"


class Prometheus:
    """What it answers."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def get(self, path: str, **params: str) -> Any:
        """The `data` of an answer; None where there is none yet."""
        try:
            async with self._session.get(f"{self._url}/api/v1/{path}", params=params) as answer:
                body = await answer.json()
        except aiohttp.ClientError:
            return None
        assert body["status"] == "success", body
        return body["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        return list((await self.get("query", query=expression))["result"])

    async def until(self, expression: str, seconds: float = 60) -> list[dict[str, Any]]:
        """Ask again until there are samples; empty where none come in time."""
        for _ in range(round(seconds / 0.2)):
            data = await self.get("query", query=expression)
            if data and data["result"]:
                return list(data["result"])
            await asyncio.sleep(0.2)
        return []


def configuration(target: str, rules: Path) -> str:
    """One job, looked at every second."""
    job = {"job_name": "riskstream", "static_configs": [{"targets": [target]}]}
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    return json.dumps({"global": every, "rule_files": [str(rules)], "scrape_configs": [job]})


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[Prometheus]:
    """Run one on a free port of loopback, and end it."""
    program = tool("prometheus")
    (folder / "prometheus.yml").write_text(configuration(target, RULES))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    where = (f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}")
    with (folder / "prometheus.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            program, f"--config.file={folder / 'prometheus.yml'}", *where, stdout=log, stderr=log
        )
    try:
        async with aiohttp.ClientSession() as session:
            yield Prometheus(session, f"http://{address}")
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)
