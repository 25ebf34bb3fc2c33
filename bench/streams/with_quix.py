"""Quix Streams, exactly-once: one transaction for all partitions of the process.

python -m bench.streams.with_quix SERVERS IN OUT GROUP COMMIT_MS signal|bare
"""

from __future__ import annotations

import sys
import time

from quixstreams import Application, message_context
from quixstreams.models import SerializationContext, Serializer

from bench.streams.job import JOBS

Pair = tuple[bytes, bytes]


class Second(Serializer):
    """The value of a pair, which is made already."""

    def __call__(self, value: Pair, ctx: SerializationContext) -> bytes:
        return value[1]


def main() -> None:
    """Until it is told to end: it takes SIGTERM itself."""
    servers, read, write, group, commit_ms, job_name = sys.argv[1:]
    app = Application(
        broker_address=servers,
        consumer_group=group,
        processing_guarantee="exactly-once",
        commit_interval=int(commit_ms) / 1000,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="WARNING",
        producer_extra_config={"acks": "all", "compression.type": "lz4"},
    )
    job = JOBS[job_name](read)

    def work(value: bytes, key: object, timestamp_ms: int, headers: object) -> Pair:
        at = message_context()
        return job.run(at.partition, at.offset, timestamp_ms, value, time.time_ns() // 1_000_000)

    out = app.topic(write, key_serializer="bytes", value_serializer=Second())
    frame = app.dataframe(app.topic(read, key_deserializer="bytes", value_deserializer="bytes"))
    frame.apply(work, metadata=True).to_topic(out, key=lambda pair: pair[0])
    app.run()


if __name__ == "__main__":
    main()
