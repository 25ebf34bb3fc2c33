"""A small run of `make chaos`: real brokers, real processes, the same checker. The larger ones are run by hand."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.conftest import REQUIRED

ROOT = Path(__file__).parents[2]
DOCUMENTS = 2_000


@pytest.mark.chaos
@pytest.mark.broker
@pytest.mark.timeout(900)
async def test_a_small_run_on_three_brokers_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    from dev.kafka.serve import CannotServe, fetch

    try:
        fetch()
    except CannotServe as error:
        pytest.fail(str(error)) if REQUIRED else pytest.skip(str(error))
    faults = "kill,coordinator"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.run", "--documents", str(DOCUMENTS), "--over-s", "30"),
        *("--faults", faults, "--out", str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, told = await process.communicate()
    assert process.returncode == 0, told.decode()[-4000:]
    figures = json.loads(out.splitlines()[-1])
    assert (figures["lost"], figures["duplicated"], figures["out_of_order"], figures["wrong"]) == (0, 0, 0, 0)
    assert figures["documents"] == DOCUMENTS
    assert set(figures["faults"]) == {*faults.split(","), "text"}
    assert figures["faults"]["text"] >= 1
