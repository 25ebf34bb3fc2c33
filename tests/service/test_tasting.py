"""A text that ends processes is found where it hurts nobody, and no other text is taken for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from riskstream.core.errors import OperatorError
from riskstream.core.records import Message, Partition, Position, Ticket
from riskstream.scoring.plain import ConstantScorer
from riskstream.sections import Feed, Watch
from riskstream.service.stages.taster import ChildTaster, Score, score_as_daemon
from riskstream.service.stages.tasting import GROUP_MAX, Tasting, Work
from riskstream.settings import Settings
from riskstream.telemetry import Metrics, Telemetry
from tests.chaos.documents import KILL
from tests.chaos.model import ChaosScorer
from tests.service.daemons import RULES, WATCHLIST
from tests.support.until import until

LANE, OTHER = Partition("feed", 0), Partition("feed", 1)
TELEMETRY = Telemetry(Metrics())


class Plain:
    """A `Taster` that looks at the text; `unlucky` deaths come whatever the text is."""

    def __init__(self, unlucky: int = 0) -> None:
        self.unlucky, self.asked = unlucky, 0

    async def survives(self, messages: Sequence[Message]) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        if self.unlucky:
            self.unlucky -= 1
            return False
        return not any(KILL.encode() in (message.value or b"") for message in messages)

    async def close(self) -> None:
        """There is nothing to end."""


class Court:
    """A tasting and its outcomes, by offset."""

    def __init__(self, taster: Plain) -> None:
        self.cleared: list[int] = []
        self.convicted: list[int] = []
        self.tasting = Tasting(
            taster,
            cleared=lambda work: self.cleared.extend(one.message.position.offset for one in work),
            convicted=lambda one: self.convicted.append(one.message.position.offset),
            telemetry=TELEMETRY,
        )

    @asynccontextmanager
    async def sitting(self) -> AsyncIterator[Court]:
        task = asyncio.create_task(self.tasting.run())
        yield self
        task.cancel()
        await asyncio.wait([task])

    def take(self, offset: int, text: str = "calm", lane: Partition = LANE) -> bool:
        return self.tasting.takes(Work(Ticket(lane, 1, offset), message(offset, text, lane), lambda *_: None))


def message(offset: int, text: str, lane: Partition = LANE) -> Message:
    body = f'{{"id": "d{offset}", "text": "Acme {text}", "source": "w", "published_at": 1773057600000}}'
    return Message(Position(lane.topic, lane.partition, offset), 1_773_057_600_000, None, body.encode())


async def test_a_lane_without_suspicion_never_waits() -> None:
    court = Court(Plain())
    court.tasting.suspect(OTHER, 100)
    assert not court.take(1)


async def test_suspicion_ends_where_it_was_said_to() -> None:
    court = Court(Plain())
    court.tasting.suspect(LANE, 2)
    assert [court.take(offset) for offset in (0, 1, 2, 3)] == [True, True, False, False]


@pytest.mark.parametrize("culprits", [(), (0,), (7,), (GROUP_MAX,), (3, 4, 30)])
async def test_the_culprits_are_found_and_nobody_else(culprits: tuple[int, ...]) -> None:
    count = 2 * GROUP_MAX
    async with Court(Plain()).sitting() as court:
        court.tasting.suspect(LANE, count)
        for offset in range(count):
            court.take(offset, KILL if offset in culprits else "calm")
        await until(lambda: len(court.cleared) + len(court.convicted) == count)
    assert tuple(court.convicted) == culprits
    assert court.cleared == [offset for offset in range(count) if offset not in culprits]


async def test_a_child_that_dies_by_chance_convicts_nobody() -> None:
    async with Court(Plain(unlucky=2)).sitting() as court:
        court.tasting.suspect(LANE, 10)
        for offset in range(3):
            court.take(offset)
        await until(lambda: len(court.cleared) == 3)
    assert court.convicted == []


async def test_what_waits_of_a_lane_that_closes_is_forgotten() -> None:
    court = Court(Plain())
    court.tasting.suspect(LANE, 10)
    court.take(1)
    court.tasting.drop(LANE)
    async with court.sitting():
        court.tasting.suspect(OTHER, 10)
        court.take(2, lane=OTHER)
        await until(lambda: court.cleared)
    assert court.cleared == [2]


async def test_a_verdict_outlives_the_lane() -> None:
    taster = Plain()
    async with Court(taster).sitting() as court:
        court.tasting.suspect(LANE, 10)
        court.take(1, KILL)
        court.take(2)
        await until(lambda: court.convicted == [1] and court.cleared == [2])
        asked = taster.asked
        court.tasting.drop(LANE)
        court.tasting.suspect(LANE, 10)
        assert court.take(1, KILL)
        assert not court.take(2)
    assert (court.convicted, taster.asked) == ([1, 1], asked)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "watchlist.csv").write_text(WATCHLIST)
    (tmp_path / "rules.toml").write_text(RULES)
    return Settings(
        feed=(Feed(name="feed", topic="feed"),),
        watch=Watch(watchlist=tmp_path / "watchlist.csv", rules=tmp_path / "rules.toml"),
    )


async def test_a_real_child_dies_of_the_text_and_of_nothing_else(settings: Settings) -> None:
    taster = ChildTaster(partial(score_as_daemon, settings, ChaosScorer()), telemetry=TELEMETRY)
    try:
        assert await taster.survives([message(0, "calm"), Message(Position("feed", 0, 1), 0, None, b"{")])
        assert not await taster.survives([message(2, KILL)])
        assert await taster.survives([message(3, "calm again")])
    finally:
        await taster.close()


def no_model() -> Score:
    raise OperatorError("models.name", "none", "is not there", "name another")


async def test_a_child_that_cannot_start_convicts_nobody() -> None:
    load: Callable[[], Score] = no_model
    taster = ChildTaster(load, telemetry=TELEMETRY)
    assert await taster.survives([message(0, "calm")])
    await taster.close()


def test_an_ordinary_failure_of_the_model_is_survived(settings: Settings) -> None:
    class Failing(ConstantScorer):
        def score(self, batch: object) -> list[object]:  # type: ignore[override]
            raise RuntimeError

    score_as_daemon(settings, Failing())([message(0, "calm")])
