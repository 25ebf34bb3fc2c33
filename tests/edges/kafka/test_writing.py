"""Producers as they are made, without a broker."""

from __future__ import annotations

import cramjam

from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.writing import LZ4_LEVEL, new_producer


async def test_batches_are_compressed_at_the_fast_level() -> None:
    values = b"".join(b'{"signal_id":"news/3/%d#ACME","risk_score":0.%d}' % (i, i * i) for i in range(2_000))
    fast, slow = [
        len(compressor.compress(values) and compressor.finish())
        for compressor in (cramjam.lz4.Compressor(level=level, block_linked=False) for level in (LZ4_LEVEL, 9))
    ]
    producer = new_producer(KafkaConfig())
    batch = producer.create_batch()
    assert batch.append(timestamp=0, key=None, value=values) is not None
    batch.close()
    assert slow < fast < len(values)
    assert abs(len(batch._build()) - fast) < (fast - slow) / 2
