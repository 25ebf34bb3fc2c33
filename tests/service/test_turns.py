"""Lanes commit in turns, and one that hangs holds no other up for long."""

from __future__ import annotations

import asyncio

import pytest

from riskstream.service.stages.turns import Turns


async def test_no_more_than_so_many_at_once_and_first_come_first_served() -> None:
    turns, inside, most, order = Turns(2), 0, 0, []

    async def commit(number: int) -> None:
        nonlocal inside, most
        async with turns.turn():
            inside += 1
            most = max(most, inside)
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*map(commit, range(9)))
    assert most == 2
    assert order == list(range(9))


async def test_a_commit_that_hangs_gives_its_turn_away_once() -> None:
    turns, hangs, done = Turns(1, patience_s=0.01), asyncio.Event(), []

    async def hang() -> None:
        async with turns.turn():
            await hangs.wait()

    async def commit(number: int) -> None:
        async with turns.turn():
            done.append(number)

    hanging = asyncio.create_task(hang())
    await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(commit(1), commit(2)), 5)
    hangs.set()
    await hanging
    async with turns.turn():  # what hung has not given back a second time: there is one turn, and it is taken
        late = asyncio.create_task(commit(3))
        await asyncio.sleep(0)
        assert done == [1, 2]
    await late
    assert done == [1, 2, 3]


async def test_a_commit_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="of a commit"):
            async with turns.turn():
                raise ValueError("of a commit")
    await asyncio.wait_for(turns.turn().__aenter__(), 1)
