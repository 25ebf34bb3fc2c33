"""How the CPU seconds of each bench grow with its load, at one, four and sixteen times the size, as a power.

    python -m bench.growth [--only watch restore …] [--repeat 2]

    name       what grows                         what costs
    scoring    texts                              the whole path with the shipped model
    stream     documents of a backlog             the score stage on a real Kafka, 8 lanes
    lanes      lanes, as many documents for each  the same
    watch      entities, four signals each        the engine
    restore    entities in the state log          reading and restoring 12 lanes
    endtoend   documents of a backlog             score and watch with the shipped model

The exponent is the slope of log(seconds) over log(size), with its 95 % interval over all runs; 1 is in proportion.
The sizes alternate, so that a machine that gets slower counts in all of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.rounds import exponent, table
from dev.kafka.serve import die_with_parent

SIZES = (1, 4, 16)


class Growth(NamedTuple):
    """The bench of one load: its arguments at a size, and the CPU seconds in its answer."""

    arguments: Callable[[int], list[str]]
    cpu_s: Callable[[Any, int], float]


_STREAM = ["stream", "--peers", "riskstream", "--commit-ms", "100", "--per-s", "50", "--seconds", "1"]
GROWTHS = {
    "scoring": Growth(lambda size: ["growth", "--texts", str(64 * size)], lambda found, _: found["cpu_s"]),
    "stream": Growth(
        lambda size: [*_STREAM, "--lanes", "8", "--documents", str(3_000 * size)],
        lambda found, size: found[0]["cpu_s"] * 3_000 * size / 1e6,
    ),
    "lanes": Growth(
        lambda size: [*_STREAM, "--lanes", str(8 * size), "--documents", str(2_000 * size)],
        lambda found, size: found[0]["cpu_s"] * 2_000 * size / 1e6,
    ),
    "watch": Growth(lambda size: ["watch", "--one", str(1_000 * size)], lambda found, _: found["seconds"]),
    "restore": Growth(
        lambda size: ["restore", "--repeat", "1", "--times", "1", "--entities", str(3_000 * size)],
        lambda found, _: found["runs"][0]["cpu_s"],
    ),
    "endtoend": Growth(
        lambda size: ["endtoend", "--per-s", "10", "--seconds", "1", "--backlog", str(50 * size)],
        lambda found, size: found["cpu_s_per_document"] * 50 * size,
    ),
}


def scoring(count: int) -> dict[str, float]:
    """One run of the scoring path over so many texts; loading is not counted."""
    from bench import peers
    from bench.scoring import MODELS
    from bench.texts import texts
    from riskstream.service.cores import usable_cores

    score = peers.riskstream(MODELS / (MODELS / "champion").read_text().strip(), usable_cores())
    pairs = [(one.entity, one.text) for one in texts(count)[1]]
    score(pairs[:32])
    started = time.process_time()
    score(pairs)
    return {"texts": len(pairs), "cpu_s": time.process_time() - started}


def one(name: str, size: int) -> float:
    """The CPU seconds at a size, by a run in a process of its own."""
    growth = GROWTHS[name]
    module, *arguments = growth.arguments(size)
    command = [sys.executable, "-m", f"bench.{module}", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    return growth.cpu_s(json.loads(done.stdout.rstrip().splitlines()[-1]), size)


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(GROWTHS), choices=list(GROWTHS))
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--texts", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.texts:
        print(json.dumps(scoring(options.texts)))
        return
    found: dict[str, Any] = {}
    for name in options.only:
        runs = [(size, one(name, size)) for _ in range(options.repeat) for size in SIZES]
        slope, half = exponent(runs) or (0.0, 0.0)
        found[name] = {"exponent": slope, "half_interval": half, "cpu_s": runs}
        seconds = [f"{cpu:.2f}" for _, cpu in runs[-len(SIZES) :]]
        print(
            table(
                ["of", "exponent", "±", *(f"{n}x: s" for n in SIZES)], [[name, f"{slope:.3f}", f"{half:.3f}", *seconds]]
            )
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
