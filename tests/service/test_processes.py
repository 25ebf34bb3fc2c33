"""`riskstream` as a process on a real Kafka: topics, a feed published, signals and alerts read by a stranger."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer

from tests.support.brokers import fresh
from tests.support.until import until

if TYPE_CHECKING:
    from dev.kafka.serve import KafkaServer

ROOT = Path(__file__).parent.parent.parent
FEED = ROOT / "riskstream" / "packaged" / "three-days.jsonl"
pytestmark = pytest.mark.broker
SAMPLE = re.compile(r'^riskstream_documents_total\{feed="demo",outcome="(\w+)"\} (\d+)', re.MULTILINE)


class Site:
    """A settings file with topics of this test's own, and the command line in it."""

    def __init__(self, folder: Path, server: KafkaServer) -> None:
        self.app = fresh("app")
        self.feed, self.signals, self.alerts = (f"{self.app}.{word}" for word in ("feed", "signals", "alerts"))
        self.dead = f"{self.app}.dead"
        self.bootstrap = server.bootstrap_servers
        self.sasl = server.sasl_bootstrap_servers
        self.taken = 0
        self.config = folder / "riskstream.toml"
        self.config.write_text(f"""
app = "{self.app}"
[kafka]
bootstrap_servers = "{self.bootstrap}"
[topics]
signals = "{self.signals}"
alerts = "{self.alerts}"
dead_letters = "{self.dead}"
state = "{self.app}.state"
reviews = "{self.app}.reviews"
labels = "{self.app}.labels"
partitions = 3
replication = 1
[[feed]]
name = "demo"
topic = "{self.feed}"
start = "earliest"
partitions = 2
[models]
name = "models/tiny/1"
[watch]
watchlist = "config/watchlists/three-days.csv"
[http]
port = 0
open = true
""")

    def change(self, old: str, new: str) -> None:
        """Put something else into the settings file."""
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """A `riskstream` process, its stderr captured."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "riskstream",
            *arguments,
            "--config",
            str(self.config),
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith("RISKSTREAM_")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def call(self, *arguments: str) -> tuple[int, str]:
        """Run to the end: exit code and stderr."""
        code, _, told = await self.output(*arguments)
        return code, told

    async def output(self, *arguments: str) -> tuple[int, bytes, str]:
        """Run to the end: exit code, stdout and stderr."""
        process = await self.start(*arguments)
        async with asyncio.timeout(60):
            stdout, stderr = await process.communicate()
        return process.returncode or 0, stdout, stderr.decode()

    @asynccontextmanager
    async def running(self, *more: str) -> AsyncIterator[str]:
        """The daemon, from ready to a clean stop; gives its HTTP address."""
        process = await self.start("run", *more)
        assert process.stderr is not None
        lines: list[str] = []
        try:
            async with asyncio.timeout(60):
                address = ""
                while not address:
                    line = (await process.stderr.readline()).decode()
                    assert line, "".join(lines)
                    lines.append(line)
                    found = json.loads(line) if line.startswith("{") else {}
                    address = found.get("http", "") if found.get("event") == "service started" else ""
            drain = asyncio.create_task(process.stderr.read())
            yield f"http://{address}"
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                assert await process.wait() == 0, (await drain).decode()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def read(self, topic: str) -> list[dict[str, object]]:
        """Every committed record of a topic, as any other program would read it."""
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self.bootstrap,
            group_id=fresh("stranger"),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            records: list[dict[str, object]] = []
            while batch := await consumer.getmany(timeout_ms=2_000):
                records += [json.loads(record.value) for found in batch.values() for record in found]
            return records
        finally:
            await consumer.stop()


def documents(address: str) -> Counter[str]:
    with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
        return Counter({outcome: int(n) for outcome, n in SAMPLE.findall(answer.read().decode()) if n != "0"})


async def counted(address: str, total: int) -> Counter[str]:
    async def enough() -> bool:
        return (await asyncio.to_thread(documents, address)).total() >= total

    await until(enough)
    return documents(address)


async def test_the_main_job_on_a_real_broker(tmp_path: Path, kafka_server: KafkaServer) -> None:
    site = Site(tmp_path, kafka_server)
    assert (await site.call("topics", "create"))[0] == 0
    lines = FEED.read_bytes().splitlines()
    bad = [b"{", b"[]", b'{"id": "x"}']
    feed = tmp_path / "feed.jsonl"
    feed.write_bytes(b"\n".join([*lines, *bad]) + b"\n")
    async with site.running() as address:
        code, told = await site.call("publish", str(feed), "--topic", site.feed, "--shift-to-now")
        assert (code, told) == (0, f"publish: {len(lines) + len(bad)} documents to {site.feed}\n")
        outcomes = await counted(address, len(lines) + len(bad))
    assert outcomes == {"scored": 318, "unwatched": 81, "duplicate": 1, "rejected": 3}
    signals, alerts = await site.read(site.signals), await site.read(site.alerts)
    assert len(signals) == 328
    assert len({record["signal_id"] for record in signals}) == 328
    assert alerts
    assert len({(record["alert_id"], record["sequence"]) for record in alerts}) == len(alerts)


@pytest.mark.timeout(300)
async def test_what_was_made_then_is_made_again_by_the_same_model(tmp_path: Path, kafka_server: KafkaServer) -> None:
    site = Site(tmp_path, kafka_server)
    feed, then, now = (tmp_path / f"{name}.jsonl" for name in ("feed", "then", "now"))
    assert (await site.call("topics", "create"))[0] == 0
    async with site.running("--stage", "score") as address:
        assert (await site.call("publish", str(FEED), "--topic", site.feed, "--shift-to-now"))[0] == 0
        await counted(address, 400)
    for topic, out in ((site.feed, feed), (site.signals, then)):
        code, lines, _ = await site.output("export", "--topic", topic, "--from", "2026-01-01")
        assert code == 0
        await asyncio.to_thread(out.write_bytes, lines)
    assert (await site.call("replay", str(feed), "--save-signals", str(now)))[0] == 0
    code, told = await site.call("replay", "--signals", str(now), "--compare", str(then))
    assert code == 0
    assert "328 signals" in told
    assert f"against {then}: 0 gained, 0 lost, " in told
    assert ", 0 with another highest severity, " in told
    assert "differs by 0.0000 on average, 0 rise to 0.5 or above, 0 fall below it; 0 only then, 0 only now" in told


async def test_stages_run_apart_and_a_restart_repeats_nothing(tmp_path: Path, kafka_server: KafkaServer) -> None:
    site = Site(tmp_path, kafka_server)
    assert (await site.call("topics", "create"))[0] == 0
    for _ in range(2):
        async with site.running("--stage", "score") as address:
            assert (await site.call("publish", str(FEED), "--topic", site.feed, "--shift-to-now"))[0] == 0
            await counted(address, 400)
    for _ in range(2):
        async with site.running("--stage", "watch"):
            pass
    signals = await site.read(site.signals)
    assert len({record["signal_id"] for record in signals}) == len(signals) == 656


ANY = '[[rule]]\nname = "any"\naggregate = "count"\nwindow_s = 172800\nlimit = 1\n'


@pytest.mark.timeout(300)
async def test_rules_change_under_a_running_daemon(tmp_path: Path, kafka_server: KafkaServer) -> None:
    site, rules = Site(tmp_path, kafka_server), tmp_path / "rules.toml"
    site.change("[watch]\n", f'[watch]\nrules = "{rules}"\npoll_s = 0.2\n')
    rules.write_text(ANY)
    assert (await site.call("topics", "create"))[0] == 0
    async with site.running() as address:
        assert (await site.call("publish", str(FEED), "--topic", site.feed, "--shift-to-now"))[0] == 0
        await counted(address, 400)

        def shown(where: str) -> str:
            with urllib.request.urlopen(f"{address}{where}", timeout=10) as answer:
                return str(answer.read().decode())

        async def says(words: str) -> None:
            async def found() -> bool:
                return words in await asyncio.to_thread(shown, "/metrics")

            await until(found)

        rules.write_text(ANY.replace("any", "some").replace("count", "cuont"))
        await says('riskstream_config_refused{kind="rules"} 1.0')
        rules.write_text(ANY.replace('"any"', '"some"'))
        await says('riskstream_alerts_open{rule="any",severity="material"} 0.0')
        await says('riskstream_config_refused{kind="rules"} 0.0')
        told = await site.read(site.alerts)
        one = next(record["subject"]["id"] for record in told if record["rule"] == "some")
        entity = json.loads(await asyncio.to_thread(shown, f"/v1/entities/{one}"))
    reasons = {rule: Counter(r["reason"] for r in told if r["rule"] == rule) for rule in ("any", "some")}
    assert reasons["any"]["fired"] == reasons["any"]["rule_removed"] == reasons["some"]["fired"] > 10
    assert [alert["rule"] for alert in entity["open"]] == ["some"]
    assert [rule["alert_id"] for rule in entity["picture"]["rules"]] == [entity["open"][0]["alert_id"]]
    assert len(entity["picture"]["signals"]) == entity["picture"]["documents"] > 0


def no_broker(site: Site) -> str:
    site.change(f'bootstrap_servers = "{site.bootstrap}"', 'bootstrap_servers = "127.0.0.1:1"')
    return "kafka.bootstrap_servers = '127.0.0.1:1'"


def wrong_password(site: Site) -> str:
    secret = site.config.parent / "password"
    secret.write_text("wrong")
    security = f"""security_protocol = "SASL_PLAINTEXT"
sasl_username = "tester"
sasl_password_file = "{secret}"
bootstrap_servers = "{site.sasl}"
"""
    site.change(f'bootstrap_servers = "{site.bootstrap}"', security)
    return "kafka.sasl_password"


def missing_topic(site: Site) -> str:
    return f"topic = '{site.feed}': is not on the broker"


def missing_model(site: Site) -> str:
    site.change("models/tiny/1", "models/none/1")
    return "models/none/1"


def damaged_model(site: Site) -> str:
    copy = site.config.parent / "damaged"
    shutil.copytree(ROOT / "models" / "tiny" / "1", copy)
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    site.change("models/tiny/1", str(copy))
    return "model.safetensors"


def unknown_setting(site: Site) -> str:
    site.change("[http]", "[htpp]")
    return "htpp"


def wrong_start(site: Site) -> str:
    site.change("earliest", "yesterday")
    return "yesterday"


def port_in_use(site: Site) -> str:
    site.change("port = 0", f"port = {site.taken}")
    return f"http.port = {site.taken}: is in use"


MISTAKES = [
    no_broker,
    wrong_password,
    missing_topic,
    missing_model,
    damaged_model,
    unknown_setting,
    wrong_start,
    port_in_use,
]
NEED_TOPICS = (missing_model, damaged_model)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
async def test_a_start_that_cannot_succeed_says_why_in_one_line(
    tmp_path: Path, kafka_server: KafkaServer, mistake: Callable[[Site], str]
) -> None:
    site = Site(tmp_path, kafka_server)
    if mistake in NEED_TOPICS:
        assert (await site.call("topics", "create"))[0] == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.taken = taken.getsockname()[1]
        told = mistake(site)
        code, stderr = await site.call("run")
    assert code == 2, stderr
    assert "Traceback" not in stderr
    (line,) = [line for line in stderr.splitlines() if line.startswith("riskstream: ")]
    assert told in line
    assert "Fix: " in line
    assert "wrong" not in line, "a secret is never shown"
