"""Batches while one model follows another: none mixes two, none waits for company that cannot come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.lanes.batching import BatchLimits
from riskstream.core.lanes.relay import Relay
from riskstream.core.records import Encoded, Partition, Ticket

LIMITS = BatchLimits(tokens_max=100, items_max=4, wait_ms_max=20, queue_max=10, look_ahead=8)


def pair(number: int, lane: int = 0) -> Encoded:
    return Encoded(Ticket(Partition("news", lane), 1, number), 0, (5,) * 10)


def filled(models: str) -> Relay[str]:
    relay = Relay[str](LIMITS)
    for number, model in enumerate(models):
        relay.add(pair(number), model, now_ms=1000)
    return relay


def emptied(relay: Relay[str]) -> str:
    """What leaves, a batch a word: the model, as often as it has pairs."""
    words = []
    while taken := relay.take(now_ms=1000):
        model, batch = taken
        words.append(model * len(batch.items))
    return " ".join(words)


@pytest.mark.parametrize(
    ("added", "batches"),
    [
        ("", ""),
        ("aaa", "aaa"),
        ("aabb", "aa bb"),  # four would fit: they are two models'
        ("aaaaabb", "aaaa a bb"),  # the older is emptied first
        ("aba", "a b a"),  # one that comes back is the newest again
    ],
)
def test_no_batch_mixes_two_models(added: str, batches: str) -> None:
    assert emptied(filled(added)) == batches


@pytest.mark.parametrize(("added", "due_ms"), [("", None), ("a", 1020), ("ab", 0), ("aaaa", 0)])
def test_the_older_model_waits_for_no_company(added: str, due_ms: int | None) -> None:
    assert filled(added).due_ms() == due_ms


def test_after_the_older_is_empty_the_newer_waits_as_usual() -> None:
    relay = filled("ab")
    relay.take(now_ms=1000)
    assert relay.due_ms() == 1020


def test_the_limit_counts_all_models() -> None:
    relay = filled("aaaaabbbb")
    assert (len(relay), relay.full) == (9, False)
    relay.add(pair(9), "b", now_ms=1000)
    assert relay.full


def test_a_closed_lane_leaves_every_model() -> None:
    relay = Relay[str](LIMITS)
    for number, (model, lane) in enumerate([("a", 1), ("b", 1), ("b", 2)]):
        relay.add(pair(number, lane), model, now_ms=0)
    assert relay.drop(Partition("news", 1)) == 2
    assert (emptied(relay), relay.drop(Partition("news", 1))) == ("b", 0)


@given(st.lists(st.sampled_from("abc") | st.none(), max_size=60))
def test_every_pair_leaves_once_with_its_model(steps: list[str | None]) -> None:
    relay, put, got = Relay[str](LIMITS), list[tuple[int, str]](), list[tuple[int, str]]()
    for number, step in enumerate([*steps, *[None] * 60]):
        if step is not None:
            relay.add(pair(number), step, now_ms=number)
            put.append((number, step))
        elif taken := relay.take(now_ms=number):
            got += [(item.ticket.sequence, taken[0]) for item in taken[1].items]
    assert sorted(got) == put
