"""What the benches compare does the same work."""

from __future__ import annotations

import msgspec
import pytest

from bench.rounds import exponent
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


def test_an_exponent_is_that_of_the_power_with_its_interval():
    found = exponent([(size, 3 * size**1.2) for size in (1, 4, 16)])
    assert found is not None
    assert found == pytest.approx((1.2, 0.0), abs=1e-9)
    noisy = exponent([(1, 1.0), (1, 1.1), (4, 4.0), (4, 4.4), (16, 16.0), (16, 17.6)])
    assert noisy is not None
    assert 0.9 < noisy[0] < 1.1
    assert 0.02 < noisy[1] < 0.2
    assert exponent([(4, 1.0), (4, 2.0)]) is None
