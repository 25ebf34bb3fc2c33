"""The Dockerfile and compose.yaml: linted, and true about the files and settings that they name."""

from __future__ import annotations

import re
import subprocess
import tomllib
from typing import Any

import pytest
import yaml

from riskstream.settings import load
from tests.deploy.charts import ROOT, tool

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())


@pytest.mark.helm
def test_hadolint_finds_nothing_to_say() -> None:
    done = subprocess.run([tool("hadolint"), ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_the_image_copies_is_there_and_goes_to_the_builder() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert {"config", "models/finrisk", "riskstream", "requirements/run.txt"} <= sources
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sources == sent
    assert all((ROOT / source).exists() for source in sources)


def test_the_images_differ_in_their_pinned_packages_alone() -> None:
    pins = re.findall(r"--require-hashes -r requirements/(\w+)\.txt", DOCKERFILE)
    assert pins == ["run", "cuda"]
    assert "torch==" in (ROOT / "requirements" / "cuda.txt").read_text()
    assert "peft==" in (ROOT / "requirements" / "cuda.txt").read_text()
    assert DOCKERFILE.rstrip().splitlines()[-2:] == [
        "FROM runtime AS cpu",
        "COPY --from=build-cpu /opt/riskstream /opt/riskstream",
    ]
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]


@pytest.mark.parametrize("file", ["run", "cuda", "dev"])
def test_every_dependency_is_pinned_in_every_file(file: str) -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / f"{file}.txt").read_text(), re.MULTILINE)
    assert len(wanted) >= 10
    assert {re.split(r"[\[><=!~ ]", name)[0] for name in wanted} <= set(pinned), "run `make pin`"


def test_compose_names_settings_files_and_stages_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    services = COMPOSE["services"]
    assert {"kafka", "topics", "riskstream", "prometheus", "grafana"} == services.keys()
    for service in services.values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")
        for volume in service.get("volumes", ()):
            assert (ROOT / volume.split(":")[0]).exists()
    daemon = services["riskstream"]
    assert daemon["build"]["target"] in DOCKERFILE
    for name, value in daemon["environment"].items():
        monkeypatch.setenv(name, value)
    assert load(None).kafka.bootstrap_servers == "kafka:29092"
    assert "INSIDE://kafka:29092" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
