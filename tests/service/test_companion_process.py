"""`riskstream trainer --once` as a process on a real Kafka: labels in, a version and one line of JSON out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from riskstream.core.records import Output
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.config import KafkaConfig
from tests.service.desks import Desk, records, sound
from tests.support.brokers import fresh, publish
from tests.trainer.bases import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from dev.kafka.serve import KafkaServer

pytestmark = pytest.mark.broker
WORDS = ("signals", "alerts", "dead_letters", "reviews", "labels")


def write_settings(desk: Desk, server: KafkaServer, app: str) -> Path:
    """A settings file with topics of this test's own."""
    topics = "\n".join(f'{word} = "{app}.{word}"' for word in WORDS)
    file = desk.folder / "riskstream.toml"
    file.write_text(f"""
app = "{app}"
[kafka]
bootstrap_servers = "{server.bootstrap_servers}"
[topics]
{topics}
partitions = 1
replication = 1
[models]
root = "{desk.models}"
name = "tiny@champion"
[trainer]
config = "{desk.config}"
labels_min = 20
golden_rows_max = 50
""")
    return file


async def call(*arguments: str) -> tuple[int, str, str]:
    """Run `riskstream` to its end: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "riskstream", *arguments),
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("RISKSTREAM_")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(180):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_round_on_a_real_broker(tmp_path: Path, kafka_server: KafkaServer) -> None:
    desk, app = Desk(tmp_path), fresh("app")
    config = str(write_settings(desk, kafka_server, app))

    async def once() -> dict[str, Any]:
        code, out, err = await call("trainer", "--once", "--config", config)
        assert code == 0, err
        (line,) = out.splitlines()  # stdout is data: one line of JSON
        found: dict[str, Any] = json.loads(line)
        return found

    code, _, err = await call("trainer", "--once", "--config", config)
    assert code == 2 and f"{app}.labels" in err  # the topics are not there yet
    assert (await call("topics", "create", "--config", config))[0] == 0
    assert (await once())["round"] == "nothing new"
    broker = KafkaBroker(KafkaConfig(bootstrap_servers=kafka_server.bootstrap_servers))
    try:
        sent = [Output(f"{app}.labels", key, value) for key, value in records(sound(120))]
        await publish(broker, *sent, Output(f"{app}.labels", b"k", b"{"))
    finally:
        await broker.close()
    done = await once()
    assert (done["round"], done["promoted"], done["candidate"]) == ("done", True, "tiny@2")
    assert done["labels"]["refused"] == {"malformed": 1}
    assert (desk.alias("champion"), desk.alias("candidate")) == ("2", "2")
    again = await once()
    assert (again["round"], again["last"]["version"], desk.versions()) == ("nothing new", "2", ["1", "2"])


async def test_the_trainer_without_once_says_what_to_do() -> None:
    code, out, err = await call("trainer")
    assert (code, out) == (2, "")
    assert "riskstream trainer --once" in err
