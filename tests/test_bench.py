"""What the benches compare does the same work."""

from __future__ import annotations

import msgspec

from bench.streams.job import JOBS, documents

AT_MS = 1_773_014_400_000


def test_both_jobs_of_the_stream_bench_name_the_same_signal_and_entity():
    made = list(documents(40, AT_MS))
    signal, bare = (
        [job("feed").run(3, offset, AT_MS, value, AT_MS) for offset, value in enumerate(made)] for job in JOBS.values()
    )
    assert [key for key, _ in signal] == [key for key, _ in bare]
    for (_, one), (_, other) in zip(signal, bare, strict=True):
        left, right = msgspec.json.decode(one), msgspec.json.decode(other)
        assert {name: left[name] for name in ("signal_id", "document_id", "received_at", "risk_score")} == {
            name: right[name] for name in ("signal_id", "document_id", "received_at", "risk_score")
        }
