"""faust-streaming at its own best guarantee: `exactly_once`, a transaction for each partition.

python -m bench.streams.with_faust SERVERS IN OUT GROUP COMMIT_MS signal|bare
"""

from __future__ import annotations

import sys
import tempfile
import time

import mode.loop

mode.loop.use("uvloop")  # before faust is imported, as `faust --loop uvloop` does

import faust  # noqa: E402

from bench.streams.job import JOBS  # noqa: E402


def app(servers: str, read: str, write: str, group: str, commit_ms: int, job_name: str, folder: str) -> faust.App:
    """The application with its one agent."""
    made = faust.App(
        group,
        broker=f"kafka://{servers}",
        processing_guarantee="exactly_once",
        broker_commit_interval=commit_ms / 1000,
        broker_commit_every=1_000_000,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_compression_type="lz4",
        producer_linger=0.0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        datadir=folder,
    )
    source = made.topic(read, key_serializer="raw", value_serializer="raw", key_type=bytes, value_type=bytes)
    target = made.topic(write, key_serializer="raw", value_serializer="raw", key_type=bytes, value_type=bytes)
    job = JOBS[job_name](read)

    @made.agent(source)
    async def score(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            at = event.message
            arrived_ms = round(at.timestamp * 1000)
            key, value = job.run(at.partition, at.offset, arrived_ms, at.value, time.time_ns() // 1_000_000)
            await target.send(key=key, value=value)

    return made


def main() -> None:
    """Until it is told to end: it takes SIGTERM itself."""
    servers, read, write, group, commit_ms, job_name = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        worker = faust.Worker(
            app(servers, read, write, group, int(commit_ms), job_name, folder), loglevel="WARNING", quiet=True
        )
        worker.execute_from_commandline()


if __name__ == "__main__":
    main()
