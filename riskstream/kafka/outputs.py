"""What an output is before it is written: its partition, its size, and the errors that both brokers raise for it.

The partition of a key is Kafka's own (murmur2, as in the Java client), so that other programs find the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from riskstream.core.errors import InternalError, OperatorError
from riskstream.core.records import Output

RECORD_OVERHEAD_BYTES = 90
"""At most what a batch and a record add around key, value and headers: 61 for the batch, up to 21 for the record."""

_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
_MIX = 0x5BD1E995


@lru_cache(maxsize=65_536)
def partition_of_key(key: bytes, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives a key. Cached: entity ids come again and again."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """The 32-bit hash of Kafka's default partitioner."""
    h = _SEED ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _MIX & _MASK
        k = (k ^ k >> 24) * _MIX & _MASK
        h = (h * _MIX & _MASK) ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * _MIX & _MASK
    h = (h ^ h >> 13) * _MIX & _MASK
    return h ^ h >> 15


def record_bytes(output: Output) -> int:
    """An upper bound of what the record takes in the broker's log, uncompressed."""
    size = RECORD_OVERHEAD_BYTES + len(output.key or b"") + len(output.value or b"")
    return size + sum(len(name.encode()) + len(value or b"") + 10 for name, value in output.headers)


def check_sizes(outputs: Sequence[Output], bytes_max: int) -> None:
    """Raise OperatorError for the first record that is too large. Nothing has been written then."""
    for output in outputs:
        if (size := record_bytes(output)) > bytes_max:
            raise too_large(output.topic, size, bytes_max)


def check_partition(output: Output, partitions: int) -> None:
    """Raise InternalError where an output names a partition that its topic does not have."""
    if output.partition is not None and not 0 <= output.partition < partitions:
        raise InternalError(f"topic {output.topic!r} has {partitions} partitions, none with number {output.partition}")


def too_large(topic: str, size: int, bytes_max: int) -> OperatorError:
    """A record above our own limit."""
    return OperatorError(
        "kafka.message_bytes_max",
        bytes_max,
        f"a record of {size} bytes for topic {topic!r} is larger",
        "raise it together with the topic's max.message.bytes, or lower the limit on what goes into a record",
    )
