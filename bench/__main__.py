"""Every bench, one after another: `python -m bench [NAME …]`, which is `make bench`.

Each is a module with a command of its own (`python -m bench.scoring --help`), a table for people and JSON as its last
line. The last line here is the JSON of all of them, with what the machine was. A bench that fails is named, the others
run, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BENCHES: dict[str, tuple[str, ...]] = {
    "scoring": ("--seconds", "120"),
    "stream": ("--lanes", "8", "--commit-ms", "100", "--documents", "20000", "--seconds", "4"),
    "watch": ("--entities", "1000", "10000", "--repeat", "2"),
    "watch_stage": ("--signals", "40000"),
    "restore": ("--entities", "50000", "--repeat", "2"),
    "endtoend": ("--backlog", "200", "--seconds", "5"),
    "growth": ("--only", "scoring", "watch", "restore", "--repeat", "1"),
}
"""Name → the arguments that keep it within its part of ten minutes on two cores."""
SECONDS_MAX, ALL_SECONDS_MAX = 300.0, 600.0
"""Of one bench, and of all: on a machine that is too busy the last ones are told to have had no time."""


def machine() -> dict[str, Any]:
    """What the figures were made on, and how busy it was."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name")), "")
    return {
        "cpu": model or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def one(name: str, seconds_max: float) -> dict[str, Any]:
    """Run a bench as its own process, its table on our stdout; its last line as a value."""
    print(f"\n== {name}", flush=True)
    if seconds_max <= 0:
        return {"failed": f"no time was left of {ALL_SECONDS_MAX:g} s"}
    command = [sys.executable, "-m", f"bench.{name}", *BENCHES[name]]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds_max, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return {"failed": str(error)}
    *told, last = done.stdout.rstrip().splitlines()
    print("\n".join(told), flush=True)
    found: dict[str, Any] = json.loads(last)
    return found


def main() -> int:
    """All that are named, or all that there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all without")
    names = parser.parse_args().names or list(BENCHES)
    if unknown := [name for name in names if name not in BENCHES]:
        parser.error(f"there is no bench {unknown[0]!r}; there are {', '.join(BENCHES)}")
    found, end = {"machine": machine()}, time.monotonic() + ALL_SECONDS_MAX
    for name in names:
        found[name] = one(name, min(SECONDS_MAX, end - time.monotonic()))
    print(json.dumps(found))
    return int(any("failed" in part for part in found.values()))


if __name__ == "__main__":
    sys.exit(main())
