"""The chart, rendered by the real Helm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.policy import Manifest

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "riskstream"
KUBERNETES = "1.29.0"
CASES = ("default", "minimal", "gpu", "hardened")


def tool(name: str) -> str:
    """A program of dev/tools.py; where it cannot be had, the test is skipped, and fails in CI."""
    sys.path.insert(0, str(ROOT))
    from dev.tools import CannotHave
    from dev.tools import tool as find
    from tests.conftest import CI

    try:
        return str(find(name))
    except CannotHave as error:
        if CI:
            pytest.fail(str(error))
        pytest.skip(str(error))


def values_of(case: str) -> list[str]:
    """Helm's arguments for one of the cases."""
    return [] if case == "default" else ["-f", str(CHART / "ci" / f"{case}-values.yaml")]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm."""
    return subprocess.run([tool("helm"), *arguments], capture_output=True, text=True, check=False, timeout=100)


def render(*arguments: str) -> list[Manifest]:
    """Every manifest, hooks too."""
    done = helm("template", "desk", str(CHART), "-n", "risk", "--kube-version", KUBERNETES, *arguments)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]
