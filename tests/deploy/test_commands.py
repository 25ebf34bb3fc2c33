"""The commands for a cluster work as written, as far as that can be told without one.

```sh blocks ──┬── kubectl … NAME     names that the chart makes
               │      | grep …         run over lines as the daemon writes them
               │      -- riskstream   parsed by the real command line
               └── helm …             rendered by the real Helm, with the same --set and --set-file

What the pages ask of riskstream, make and Python is read by tests/test_pages.py.
"""

from __future__ import annotations

import functools
import json
import logging
import re
import shlex
import subprocess

import pytest

from riskstream.telemetry import configure_logging
from tests.deploy.charts import CHART, KUBERNETES, ROOT, helm, render
from tests.support.commands import parse

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
