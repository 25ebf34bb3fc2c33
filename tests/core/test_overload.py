"""What is given up under overload, as a table."""

from __future__ import annotations

import pytest

from riskstream.core.lanes.overload import Shedding, why_shed
from riskstream.core.reading.feeds import Decoder, FeedSpec
from riskstream.core.records import Document, Message, Position

ARRIVED = 1_773_057_600_000


def document(kind: str) -> Document:
    value = b'{"id":"d","text":"Acme sinks","source":"s","published_at":"2026-03-09T11:59:00Z"}'
    found = Decoder(FeedSpec(name="f", topic="f", kind=kind)).decode(
        Message(Position("f", 0, 0), ARRIVED, None, value, ())
    )
    assert isinstance(found, Document)
    return found


@pytest.mark.parametrize(
    ("kind", "waited_s", "queued", "age_s", "why"),
    [
        ("news", 0, 0, 600, ""),
        ("news", 600, 0, 600, ""),
        ("news", 601, 0, 600, "it waited 601 s, 600 are allowed"),
        ("news", 601, 0, None, ""),
        ("news", 0, 5_000, 600, ""),
        ("social", 0, 99, 600, ""),
        ("social", 0, 100, 600, "100 pairs wait for the model, and it is of kind social"),
        ("social", 700, 100, 600, "it waited 700 s, 600 are allowed"),
    ],
)
def test_what_is_given_up(kind: str, waited_s: int, queued: int, age_s: int | None, why: str) -> None:
    policy = Shedding(frozenset({"social"}), None if age_s is None else age_s * 1_000, queue_min=100)
    assert why_shed(policy, document(kind), ARRIVED, now_ms=ARRIVED + waited_s * 1_000, queued=queued) == why
