"""What comes back out of a topic is what was committed in it between two times."""

from __future__ import annotations

import json

import pytest

from riskstream.core.records import Message, Output, Position
from riskstream.core.watching import codec
from riskstream.kafka.memory import MemoryBroker
from riskstream.service.commands.export import between, line_of
from tests.core.signals import make_signal
from tests.support.brokers import new_topic, publish


async def test_records_come_by_append_time_within_the_bounds() -> None:
    clock = iter(range(100, 200, 10))
    broker = MemoryBroker(lambda: next(clock))
    topic = await new_topic(broker, 2)
    for at, partition in enumerate((0, 1, 1, 0, 1)):
        await publish(broker, Output(topic, b"k", str(at).encode(), (), partition))
    found = [(m.value, m.timestamp_ms) async for m, _ in between(broker, topic, 110, 140)]
    assert found == [(b"1", 110), (b"2", 120), (b"3", 130)]
    assert [m async for m, _ in between(broker, topic, 500, 600)] == []


@pytest.mark.parametrize("value", [None, b"", b"{broken", b"[1]", b'"text"', b"\xff"])
def test_a_value_that_is_no_object_has_no_line(value: bytes | None) -> None:
    assert line_of(Message(Position("t", 0, 0), 0, None, value), signals=False) is None


def test_a_document_spread_over_lines_becomes_one() -> None:
    line = line_of(Message(Position("t", 0, 0), 0, None, b'{\n "text": "a\\nb"\n}'), signals=False)
    assert line == b'{"text":"a\\nb"}\n'


def test_a_signal_says_when_it_was_appended() -> None:
    message = Message(Position("t", 0, 0), 1_773_014_400_000, None, codec.encode(make_signal()))
    line = line_of(message, signals=True)
    assert line is not None
    assert json.loads(line)["appended_at"] == "2026-03-09T00:00:00.000Z"
