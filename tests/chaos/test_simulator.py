"""Whole daemons under seeded schedules of faults, on a virtual clock: nothing lost, nothing twice, all in order.

`python -m tests.chaos.simulator --seeds 5000` runs more of them. A seed that fails runs the same way again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import structlog

from tests.chaos.documents import Mix
from tests.chaos.simulator import FAULTS, Fault, Schedule, quiet, run_schedule, run_seed, schedule_of, told

SEEDS = 120
GROUPS = 12


@pytest.fixture(autouse=True)
def no_lines() -> Iterator[None]:
    before = structlog.get_config()
    quiet()
    yield
    structlog.configure(**before)
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("group", range(GROUPS))
def test_schedules_lose_nothing_and_repeat_nothing(group: int, tmp_path: Path) -> None:
    for seed in range(group, SEEDS, GROUPS):
        result = run_seed(seed, tmp_path)
        assert result.clean, [f"seed {seed}", *told(result)]
        assert result.found.signals > 0


def test_the_seeds_meet_every_kind_of_fault_often() -> None:
    kinds = Counter(fault.kind for seed in range(SEEDS) for fault in schedule_of(seed).faults)
    assert set(kinds) == set(FAULTS)
    assert min(kinds.values()) >= 20
    assert sum(schedule_of(seed).mix.kills for seed in range(SEEDS)) >= 15


def test_a_seed_runs_the_same_way_each_time(tmp_path: Path) -> None:
    one, other = (run_seed(3, tmp_path) for _ in range(2))
    assert (one.committed, one.refused, one.found.signals) == (other.committed, other.refused, other.found.signals)


PLAIN = Schedule(
    seed=1,
    documents=60,
    mix=Mix(kills=0, nan=0.0, malformed=0.0),
    feed_partitions=3,
    over_s=40.0,
    faults=(),
    in_flight_max=1000,
)


def test_a_text_that_ends_processes_is_dead_lettered_and_no_other_is(tmp_path: Path) -> None:
    result = run_schedule(msgspec.structs.replace(PLAIN, mix=Mix(kills=3, nan=0.0, malformed=0.0)), tmp_path)
    assert result.clean, told(result)
    assert result.deaths <= 2 * 3


def test_processes_that_are_killed_in_turn_convict_no_text(tmp_path: Path) -> None:
    storm = tuple(Fault(2.0 * n, "kill", ("one", "two", "three")[n % 3], 0.5) for n in range(20))
    result = run_schedule(msgspec.structs.replace(PLAIN, faults=storm, in_flight_max=4), tmp_path)
    assert result.clean, told(result)


@pytest.mark.parametrize("seed", range(6))
def test_a_process_that_wakes_fences_nobody(seed: int, tmp_path: Path) -> None:
    pauses = tuple(Fault(5.0 + 45 * n, "pause", pod, 30.0 + n) for n, pod in enumerate(("one", "two", "three")))
    result = run_schedule(msgspec.structs.replace(PLAIN, seed=seed, over_s=140.0, faults=pauses), tmp_path)
    assert result.clean, told(result)
    assert result.rightful_fenced == ()
