"""How long a lane takes to go on: the state of many entities, read from a real Kafka and restored, lanes side by side.

    python -m bench.restore [--entities 100000] [--times 3] [--partitions 12]

Each entity has one remembered signal of about 1 kB, one in fifty an open alert. Every record is written `--times`
times, as in a log that is not compacted yet. Then all lanes are read and restored as the stage does it, eight at once.
Beside the time stands what the CPU spent, since on a busy machine the wall clock counts the others too.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import tempfile
import time
from pathlib import Path

import msgspec

from bench import load
from dev.kafka.serve import KafkaServer
from riskstream.cli_support import run_async
from riskstream.core.ports import TopicInfo
from riskstream.core.records import Output, Partition
from riskstream.core.watching import codec, state
from riskstream.core.watching.watch import Watch
from riskstream.kafka.client import KafkaBroker
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.outputs import partition_of_key
from riskstream.service.stages.memory import Memory

TOPIC = "riskstream.state"
LANES_AT_ONCE, CHUNK = 8, 2_000


def records(entities: int, partitions: int) -> list[Output]:
    """The state of lanes that have each seen one signal of each of their entities, one in fifty of them severe."""
    rules, watchlist = load.rules(), load.watchlist(entities)
    lanes = [Watch(rules, watchlist, keeps_state=True, config="bench") for _ in range(partitions)]
    written: list[Output] = []
    for i, message in enumerate(load.signals(entities, entities, evenly=True)):
        signal = codec.decode_signal(message.value or b"")
        if i % 50 == 0:
            signal = msgspec.structs.replace(signal, risk_score=0.97)
        number = partition_of_key(signal.entity.id.encode(), partitions)
        lanes[number].on_signal(signal, message.timestamp_ms)
        written += [Output(TOPIC, *state.encode(change, i), (), number) for change in lanes[number].changes()]
    heads = [Output(TOPIC, *state.encode_lane(lane.save(partitions), entities), (), n) for n, lane in enumerate(lanes)]
    return [*written, *heads]


async def fill(broker: KafkaBroker, outputs: list[Output], times: int) -> None:
    """Write the log."""
    publisher = await broker.publisher()
    for _ in range(times):
        for at in range(0, len(outputs), CHUNK):
            await publisher.send(outputs[at : at + CHUNK])
    await publisher.close()


async def restore(broker: KafkaBroker, entities: int, partitions: int) -> dict[str, float]:
    """All lanes at once, as far as the stage lets them."""
    rules, watchlist = load.rules(), load.watchlist(entities)
    memory, room = Memory(broker.state(TOPIC), TOPIC, partitions, state.VERSION), asyncio.Semaphore(LANES_AT_ONCE)

    async def one(number: int) -> tuple[int, Watch]:
        async with room:
            loaded = await memory.load(Partition(load.TOPIC, number), None)
            assert loaded is not None
            lane = Watch(rules, watchlist, keeps_state=True, config="bench")
            lane.restore(loaded.kept)
            return loaded.count, lane

    wall, cpu = time.monotonic(), time.process_time()
    done = await asyncio.gather(*(one(number) for number in range(partitions)))
    seconds, spent = time.monotonic() - wall, time.process_time() - cpu
    assert sum(lane.subjects for _, lane in done) == entities
    return {
        "seconds": seconds,
        "cpu_s": spent,
        "read": sum(count for count, _ in done),
        "open_alerts": sum(len(lane.open_alerts()) for _, lane in done),
    }


async def bench(entities: int, times: int, partitions: int, repeat: int) -> None:
    """Start a Kafka, fill it, restore from it."""
    outputs = records(entities, partitions)
    size = sum(len(output.value or b"") for output in outputs)
    print(f"{entities:,} entities, {len(outputs):,} live records of {size / len(outputs):,.0f} bytes, {times} times")
    with tempfile.TemporaryDirectory() as folder:
        server = KafkaServer(Path(folder))
        server.start()
        try:
            broker = KafkaBroker(KafkaConfig(bootstrap_servers=server.bootstrap_servers))
            await broker.create_topics([TopicInfo(TOPIC, partitions)])
            await fill(broker, outputs, times)
            del outputs
            runs = []
            for _ in range(repeat):
                gc.collect()
                runs.append(run := await restore(broker, entities, partitions))
                print(f"{run['seconds']:7.2f} s, {run['cpu_s']:.2f} s of CPU, {run['read']:,} records read", flush=True)
            await broker.close()
        finally:
            server.stop(kill=True)
    print(
        json.dumps({"entities": entities, "times": times, "partitions": partitions, "live_bytes": size, "runs": runs})
    )


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    run_async(bench(options.entities, options.times, options.partitions, options.repeat))


if __name__ == "__main__":
    main()
