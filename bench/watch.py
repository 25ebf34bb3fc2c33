"""The watch stage without a broker: signals a second and core, bytes an entity, and how both grow.

    python -m bench.watch [--entities 5000 20000 80000] [--repeat 3]
    python -m bench.watch --month      memory over thirty simulated days of 1,000 entities, ten signals a day each

Signals go in as bytes; out come alerts, state records and the lane's record as bytes: decoding, fifty rules, evidence
and encoding are all inside. Time is the CPU's, so that a busy machine counts less. Each run is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import load
from bench.rounds import exponent
from dev.kafka.serve import die_with_parent
from riskstream.cli_support import COLLECTOR
from riskstream.core.ports import TopicInfo
from riskstream.core.records import Partition, Ticket
from riskstream.core.watching.watch import WatchLimits
from riskstream.kafka.memory import MemoryBroker
from riskstream.service.stages.lanes import Done
from riskstream.service.stages.memory import Memory
from riskstream.service.stages.watching import WatchProcessor, WatchTopics
from riskstream.service.stages.watchlane import InForce
from riskstream.telemetry import Metrics, Telemetry

LANE = Partition(load.TOPIC, 0)
PER_ENTITY, CHUNK = 4, 500


async def processor(entities: int) -> WatchProcessor:
    """A stage with one lane, open, whose state goes nowhere."""
    broker = MemoryBroker(lambda: 0)
    await broker.create_topics([TopicInfo("state", 1)])
    made = WatchProcessor(
        InForce(load.rules(), load.watchlist(entities), "bench"),
        WatchTopics("alerts", "dead", 1_000),
        Memory(broker.state("state"), "state", 1, 1),
        limits=WatchLimits(),
        tick_lag_ms=2_000,
        telemetry=Telemetry(Metrics()),
    )
    await made.opened(LANE, lambda done: None)
    return made


def measure(entities: int) -> dict[str, float]:
    """One run: the first half of the signals meets every entity, the second is what a lane that runs pays."""
    gc.set_threshold(*COLLECTOR)
    messages = list(load.signals(PER_ENTITY * entities, entities))
    stage = asyncio.run(processor(entities))
    gc.collect()
    gc.freeze()
    out: list[int] = []

    def finish(_: Ticket, done: Done) -> None:
        out.append(sum(len(output.value or b"") for output in done.outputs))

    half, before = len(messages) // 2, resident()
    seconds = []
    for part in (messages[:half], messages[half:]):
        started = time.process_time()
        for at in range(0, len(part), CHUNK):
            stage.accept([(Ticket(LANE, 1, i), message) for i, message in enumerate(part[at : at + CHUNK])], finish)
        seconds.append(time.process_time() - started)
    return {
        "entities": entities,
        "signals": len(messages),
        "signal_bytes": statistics.fmean(len(message.value or b"") for message in messages),
        "state_bytes": statistics.fmean(out),
        "first_per_s": half / seconds[0],
        "per_s": half / seconds[1],
        "seconds": sum(seconds),
        "bytes_per_entity": (resident() - before) / entities,
    }


def month() -> None:
    """Thirty days of a lane: what it holds at the end of every third."""
    entities, days, daily = 1_000, 30, 10
    gc.set_threshold(*COLLECTOR)
    stage, held = asyncio.run(processor(entities)), []
    per_day = entities * daily
    messages = load.signals(days * per_day, entities, per_s=per_day / 86_400)
    before = resident()
    for day in range(1, days + 1):
        work = [(Ticket(LANE, 1, i), message) for i, message in enumerate(itertools.islice(messages, per_day))]
        stage.accept(work, lambda ticket, done: None)
        if day % 3 == 0:
            held.append({"day": day, "bytes_per_entity": round((resident() - before) / entities)})
            print(f"day {day:>2}: {held[-1]['bytes_per_entity']:>9,} bytes an entity", flush=True)
    print(json.dumps({"entities": entities, "signals_a_day": daily, "held": held}))


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def main() -> None:
    """All sizes, alternating, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, nargs="+", default=[5_000, 20_000, 80_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--month", action="store_true")
    options = parser.parse_args()
    if options.month:
        month()
        return
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    runs: list[dict[str, float]] = []
    print("  entities   signals  per core s  at first  bytes/entity  state B/signal")
    for _ in range(options.repeat):
        for entities in options.entities:
            command = [sys.executable, "-m", "bench.watch", "--one", str(entities)]
            run = json.loads(
                subprocess.run(
                    command, check=True, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent
                ).stdout
            )
            runs.append(run)
            print(
                f"{entities:>10,}{run['signals']:>10,.0f}{run['per_s']:>12,.0f}{run['first_per_s']:>10,.0f}"
                f"{run['bytes_per_entity']:>14,.0f}{run['state_bytes']:>16,.0f}",
                flush=True,
            )
    best = {e: max(run["per_s"] for run in runs if run["entities"] == e) for e in options.entities}
    print(
        json.dumps(
            {"per_core_s": best, "exponent": exponent([(run["signals"], run["seconds"]) for run in runs]), "runs": runs}
        )
    )


if __name__ == "__main__":
    main()
