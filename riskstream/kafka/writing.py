"""Records into batches and batches to the broker: what lanes and publishers share.

One batch holds the records of one partition and has one future, so a thousand records cost a few futures instead of a
thousand. All futures are kept and awaited: in aiokafka a transaction commits although a send in it failed, and only
the future of that send tells (notes: trap 1).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, codec
from aiokafka.errors import ProducerClosed, TopicAuthorizationFailedError

from riskstream.core.records import Output, Partition
from riskstream.kafka.config import KafkaConfig
from riskstream.kafka.connect import quiet
from riskstream.kafka.outputs import check_partition, partition_of_key
from riskstream.kafka.topics import unknown_topic

DISCARD_S = 2.0
METADATA_S_MAX, METADATA_AGAIN_S = 3.0, 0.1
"""A topic that the brokers have not shown for so long is not there."""
LZ4_LEVEL = 1
"""Of the client's own 9 a batch of 52 kB takes thirteen times as long (683 against 54 µs), on the event loop, and is a
fifth smaller. The brokers' own client reads 9 as this fast search."""
ANSWERS_MIN = 2
"""The first answer may be to a question that was asked before ours."""
Place = tuple[str, int]

_spread = itertools.count()


def new_producer(config: KafkaConfig, transactional_id: str | None = None) -> AIOKafkaProducer:
    """A producer, not started: acknowledged by all replicas, idempotent where the broker knows transactions, and itself
    transactional where it has an id. The level of lz4 is no argument of the client but a default in its codec."""
    codec.lz4_encode.__defaults__ = (LZ4_LEVEL,)
    arguments: dict[str, Any] = {
        **config.connection(),
        "acks": "all",
        "enable_idempotence": config.transactions,
        "compression_type": config.compression,
        "max_batch_size": config.batch_bytes_max,
        "max_request_size": config.message_bytes_max + config.batch_bytes_max,
    }
    if transactional_id is not None:
        arguments["transactional_id"] = transactional_id
        arguments["transaction_timeout_ms"] = config.transaction_timeout_ms
    return AIOKafkaProducer(**arguments)


async def place(producer: AIOKafkaProducer, outputs: Sequence[Output]) -> list[Place]:
    """Where each output goes. Records without a key and a partition go together, to another partition each time.

    Raises UnknownTopic, and InternalError for a partition that is not there. Nothing has been written then.
    """
    counts = {topic: await _partitions(producer, topic) for topic in {output.topic for output in outputs}}
    keyless = next(_spread)
    places: list[Place] = []
    for output in outputs:
        count = counts[output.topic]
        check_partition(output, count)
        if output.partition is not None:
            places.append((output.topic, output.partition))
        elif output.key is None:
            places.append((output.topic, keyless % count))
        else:
            places.append((output.topic, partition_of_key(output.key, count)))
    return places


async def _partitions(producer: AIOKafkaProducer, topic: str) -> int:
    """Raises UnknownTopic only where the brokers have said so; TimeoutError where they have said nothing."""
    client, answers = producer.client, 0
    if (known := client.cluster.partitions_for_topic(topic)) is not None:
        return len(known)
    client.add_topic(topic)
    try:
        with quiet():
            async with asyncio.timeout(METADATA_S_MAX):
                while (known := client.cluster.partitions_for_topic(topic)) is None:
                    answers += bool(await client.force_metadata_update())
                    if topic in client.cluster.unauthorized_topics:
                        raise TopicAuthorizationFailedError(topic)
                    await asyncio.sleep(METADATA_AGAIN_S)
    except TimeoutError:
        if answers < ANSWERS_MIN:
            raise
        raise unknown_topic(topic) from None
    return len(known)


async def write(producer: AIOKafkaProducer, outputs: Sequence[Output], places: Sequence[Place]) -> dict[Partition, int]:
    """Send all outputs, in order per partition, and return when every one is acknowledged: the offset behind the last
    record of each partition. Raises the first failure."""
    futures: list[asyncio.Future[Any]] = []
    counts: list[int] = []
    columns = ([(where, batch) for batch in mine] for where, mine in _batches(producer, outputs, places).items())
    # The first batches of all partitions before the second ones: a second one waits until the first is on its way.
    for (topic, partition), batch in filter(None, itertools.chain.from_iterable(itertools.zip_longest(*columns))):
        future = await producer.send_batch(batch, topic, partition=partition)
        future.add_done_callback(seen)
        futures.append(future)
        counts.append(batch.record_count())
    ends: dict[Partition, int] = {}
    for written, count in zip(await asyncio.gather(*futures), counts, strict=True):
        partition = Partition(written.topic, written.partition)
        ends[partition] = max(ends.get(partition, 0), written.offset + count)
    return ends


def seen(future: asyncio.Future[Any]) -> None:
    """A callback for work whose failure is told elsewhere: asyncio need not log it as never retrieved."""
    if not future.cancelled():
        future.exception()


def _batches(producer: AIOKafkaProducer, outputs: Sequence[Output], places: Sequence[Place]) -> dict[Place, list[Any]]:
    batches: dict[Place, list[Any]] = {}
    for output, where in zip(outputs, places, strict=True):
        mine = batches.setdefault(where, [])
        if not mine or not _fits(mine[-1], output):
            mine.append(producer.create_batch())
            _fits(mine[-1], output)  # the first record always fits
    return batches


def _fits(batch: Any, output: Output) -> bool:
    headers = list(output.headers)
    return batch.append(timestamp=None, key=output.key, value=output.value, headers=headers) is not None


async def discard(producer: AIOKafkaProducer) -> None:
    """Throw a producer away within a few seconds, also one whose broker does not answer. Never raises.

    `stop` alone waits for ever for batches that cannot be delivered; then its background task is ended and its
    connections cut. What it wrote without committing stays invisible and is aborted by the broker.
    """
    _watch_failures(producer)
    with quiet():
        if not await _in_time(producer.stop()):
            producer._message_accumulator.fail_all(ProducerClosed())
            sender = producer._sender.sender_task
            while sender is not None and not sender.done():
                sender.cancel()
                await asyncio.wait([sender], timeout=0.1)
            await _in_time(producer.client.close())


def _watch_failures(producer: AIOKafkaProducer) -> None:
    """See to the futures inside that nobody awaits any more: else asyncio logs each as never retrieved, long after."""
    kept = producer._message_accumulator
    batches = [*kept._pending_batches, *itertools.chain.from_iterable(kept._batches.values())]
    left = [future for batch in batches for future in (batch.future, batch._drain_waiter)]
    manager = producer._txn_manager  # None: a plain producer
    if manager is not None and (ending := manager.wait_for_transaction_end()) is not None:
        left.append(ending)
    for future in left:
        future.add_done_callback(seen)


async def _in_time(work: Any) -> bool:
    """Whether it ended in time. Its failure is no one's business: the producer is thrown away."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(seen)
    await asyncio.wait([task], timeout=DISCARD_S)
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.1)
        return False
    return task.cancelled() or task.exception() is None
