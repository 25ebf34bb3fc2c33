"""The cores of the container, not those of the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskstream.service.cores import cores, quotas, usable_cores


@pytest.mark.parametrize(
    ("affinity", "found", "expected"),
    [(8, [], 8), (8, [2.0], 2), (8, [2.5], 2), (8, [0.2], 1), (2, [4.0], 2), (8, [6.0, 3.0], 3)],
)
def test_the_smallest_limit_counts_in_whole_cores(affinity: int, found: list[float], expected: int) -> None:
    assert cores(affinity, found) == expected


@pytest.mark.parametrize(
    ("files", "told", "expected"),
    [
        ({"cpu.max": "200000 100000"}, "0::/", [2.0]),
        ({"cpu.max": "max 100000"}, "0::/", []),
        ({"pods/cpu.max": "400000 100000", "pods/mine/cpu.max": "150000 100000"}, "0::/pods/mine", [1.5, 4.0]),
        (
            {"cpu,cpuacct/cpu.cfs_quota_us": "300000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            "4:cpu,cpuacct:/",
            [3.0],
        ),
        ({"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, "4:cpu,cpuacct:/", []),
        ({}, "12:memory:/x\n0::/x", []),
    ],
    ids=["v2", "v2-none", "v2-nested", "v1", "v1-none", "no-files"],
)
def test_quotas_of_a_group_and_those_above_it(
    tmp_path: Path, files: dict[str, str], told: str, expected: list[float]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert list(quotas(told, tmp_path)) == expected


def test_there_is_always_one() -> None:
    assert usable_cores() >= 1
