"""The cores that this process may use: those of its container, not those of the host.

    affinity (taskset, cpuset)  ─┐
    cgroup's CPU quota          ─┴─► the smaller, at least one

A quota is read from its own group and every group above it, in version 2 (`cpu.max`) or 1 (`cpu.cfs_quota_us`) of
Linux's cgroups. Half a core is left unused rather than shared: threads beyond a quota are stopped by the kernel for
tens of milliseconds at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
GROUP_OF_SELF = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """The number of threads that can really run at once."""
    affinity = len(os.sched_getaffinity(0))
    try:
        told = GROUP_OF_SELF.read_text()
    except OSError:
        return affinity
    return cores(affinity, quotas(told, CGROUPS))


def cores(affinity: int, quotas_found: Iterator[float] | list[float]) -> int:
    """The whole cores that every limit grants; never none."""
    return max(1, int(min([affinity, *quotas_found])))


def quotas(told: str, root: Path) -> Iterator[float]:
    """The quotas, in cores, of the groups in `/proc/self/cgroup` and of those above them."""
    for line in told.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = root / controllers if controllers else root
        group = Path(path.lstrip("/"))
        for folder in (base / group, *(base / parent for parent in group.parents)):
            found = _version_1(folder) if controllers else _version_2(folder)
            if found is not None:
                yield found


def _version_2(folder: Path) -> float | None:
    words = _read(folder / "cpu.max").split()
    return int(words[0]) / int(words[1]) if len(words) == 2 and words[0] != "max" else None


def _version_1(folder: Path) -> float | None:
    quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota and period and int(quota) > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
