"""The commands for a cluster work as written, as far as that can be told without one.

```sh blocks ──┬── kubectl … NAME     names that the chart makes
               │      | grep …         run over lines as the daemon writes them
               ├── kafka-….sh          run, as the program that it starts, against a real broker
               │      -- riskstream   parsed by the real command line
               └── helm …             rendered by the real Helm, with the same --set and --set-file

What the pages ask of riskstream, make and Python is read by tests/test_pages.py.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from riskstream.core.ports import TopicInfo
from riskstream.core.records import Output, Partition
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.config import KafkaConfig
from riskstream.telemetry import configure_logging
from tests.deploy.charts import CHART, KUBERNETES, ROOT, helm, render
from tests.support.brokers import publish
from tests.support.commands import parse

if TYPE_CHECKING:
    from dev.kafka.serve import KafkaServer

PAGES = ("runbook.md", "kubernetes.md", "upgrade.md")


@functools.cache
def commands() -> list[str]:
    """Every command line of the pages' sh blocks, continued lines joined, comments cut."""
    text = "\n".join((ROOT / "docs" / page).read_text() for page in PAGES)
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    inline = re.findall(r"`((?:riskstream|kubectl|helm) [^`]+)`", text.replace("\n", " "))
    return [re.sub(r"\s#.*$", "", line).strip() for line in [*lines, *inline]]


def of(program: str) -> list[str]:
    """The command lines of one program."""
    return [line for line in commands() if re.match(rf"(\.venv/bin/)?{program}\b", line)]


def test_the_search_in_the_log_finds_what_it_should(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = [line for line in commands() if "logs" in line and "grep" in line]
    pattern = shlex.split(line.partition(" | ")[2])
    log, before = logging.getLogger("library"), list(logging.getLogger().handlers)
    configure_logging("INFO", json=True)
    try:
        log.info("one")
        log.warning("two")
        log.error("three")
    finally:
        logging.getLogger().handlers[:] = before
    written = capsys.readouterr().err
    found = subprocess.run(pattern, input=written, capture_output=True, text=True, check=True).stdout
    assert [json.loads(one)["event"] for one in found.splitlines()] == ["two", "three"]


SCRIPTS = {
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
}
"""Kafka's scripts, and what each of them starts."""


@pytest.mark.broker
@pytest.mark.timeout(300)
async def test_kafkas_own_tools_answer_what_the_runbook_asks(kafka_server: KafkaServer) -> None:
    from dev.kafka.serve import fetch

    asked = [shlex.split(line) for line in of(r"kafka-[\w-]+\.sh")]
    assert {words[0] for words in asked} == SCRIPTS.keys()
    await filled(kafka_server)

    async def run(words: list[str]) -> str:
        java = ["java", "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{fetch()}/*"]
        arguments = [kafka_server.bootstrap_servers if word == "kafka:9092" else word for word in words[1:]]
        process = await asyncio.create_subprocess_exec(
            *java, SCRIPTS[words[0]], *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return out.decode()

    answers = await asyncio.gather(*(run(words) for words in asked))
    told = {" ".join(words): answer for words, answer in zip(asked, answers, strict=True)}
    assert len(told) >= 4
    for command, text in told.items():
        assert "Error" not in text, text
        if "--group" in command:
            assert re.search(rf"{command.split()[-1]} +feeds.news +0 +1 +2 +1 ", text), text
        elif "get-offsets" in command:
            assert "feeds.news:0:2" in text
        else:
            assert "riskstream-reason:malformed" in text


async def filled(server: KafkaServer) -> None:
    """A feed of two records of which each group has one, and a dead letter."""
    broker = KafkaBroker(KafkaConfig(bootstrap_servers=server.bootstrap_servers))
    try:
        await broker.create_topics([TopicInfo("feeds.news", 1), TopicInfo("riskstream.dead-letters", 1)])
        letter = Output("riskstream.dead-letters", None, b"{", (("riskstream-reason", b"malformed"),))
        await publish(broker, *(Output("feeds.news", None, b"{}") for _ in range(2)), letter)
        for group in ("riskstream.score", "riskstream.watch"):
            lane = broker.lane(Partition("feeds.news", 0), group, group)
            await lane.open()
            await lane.commit([], 1)
            await lane.close()
    finally:
        await broker.close()


def test_riskstream_understands_what_it_is_asked_inside_a_pod() -> None:
    lines = [line.partition(" -- ")[2] for line in of("kubectl") if " -- riskstream" in line]
    assert len(lines) >= 4
    for line in lines:
        parse(shlex.split(line.replace("…", ""))[1:])


@pytest.mark.helm
def test_kubectl_is_asked_for_what_the_chart_makes() -> None:
    kinds = {"deploy": "Deployment", "svc": "Service"}
    made = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in render()}
    asked = [(kinds[kind], name) for line in of("kubectl") for kind, name in re.findall(r"\b(deploy|svc)/(\S+)", line)]
    assert len(asked) >= 12
    assert set(asked) <= made
    assert all("-n risk" in line for line in of("kubectl") if "create namespace" not in line and "/" in line)


@pytest.mark.helm
def test_helm_takes_the_values_that_are_set() -> None:
    installs = [line for line in of("helm") if CHART.relative_to(ROOT).as_posix() in line]
    assert len(installs) >= 3
    for line in installs:
        words = shlex.split(line)
        given = words[words.index(CHART.relative_to(ROOT).as_posix()) + 1 :]
        values = [word.replace("=config/", f"={ROOT}/config/") for word in given if word != "--reuse-values"]
        done = helm("template", "desk", str(CHART), "--kube-version", KUBERNETES, *values)
        assert done.returncode == 0, done.stderr
    others = {shlex.split(line)[3] for line in of("helm") if line not in installs and " -n " in line}
    assert others <= {"history", "rollback"}
