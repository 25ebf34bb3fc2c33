"""Fixtures of all tests: one real Kafka for the whole run, started by the run itself on free loopback ports.

Where Java, Maven or the jars are missing, tests that need it are skipped; under `CI` or
`RISKSTREAM_TEST_BROKER=required` (what `make test` sets) they fail instead. What `TOOLS` names is required
in CI alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that `tests.support` and `dev.kafka` are found

if TYPE_CHECKING:
    from dev.kafka.serve import KafkaServer

CI = bool(os.environ.get("CI"))
REQUIRED = CI or os.environ.get("RISKSTREAM_TEST_BROKER") == "required"
TOOLS = {"browser", "disk", "helm", "prometheus"}
"""Marks of tests that need a program of dev/tools.py, or the right to mount."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is required, a skipped test is a failed run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [] if reporter is None else reporter.stats.get("skipped", [])
    if (CI and skipped) or (REQUIRED and any(not TOOLS & set(report.keywords) for report in skipped)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A running broker, with a plain listener and one that asks for the password `right`: of `tester`, who never has a
    right, or `worker`, who is given some."""
    from dev.kafka.serve import CannotServe, KafkaServer

    server = KafkaServer(tmp_path_factory.mktemp("kafka"), users={"tester": "right", "worker": "right"})
    try:
        server.start()
    except CannotServe as error:
        if REQUIRED:
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield server
    server.stop(kill=True)
