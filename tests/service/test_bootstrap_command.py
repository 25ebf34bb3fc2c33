"""`riskstream bootstrap` over the embedded broker: a rule that was added to a desk speaks from the first hour."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from riskstream.core.clock import format_ms
from riskstream.core.errors import OperatorError
from riskstream.core.records import Alert
from riskstream.core.watching import codec
from riskstream.sections import Feed
from riskstream.service.commands.bootstrap import learn
from tests.service.daemons import NOW, RULES, Rig
from tests.support.until import until

H = 3_600_000
FEED = Feed(name="wire", topic="wire", start="earliest", partitions=1)
SPIKE = """
[[rule]]
name = "burst"
shape = "spike"
window_s = 3600
baseline_s = 86400
warm_up_s = 36000
baseline_min = 1
limit = 3
"""
OF_GROUPS = SPIKE.replace('"burst"', '"burst-of-makers"\nby = "group"')


def text(number: int, at_ms: int) -> bytes:
    said = {"id": f"d{number}", "text": f"Acme opens shop number {number}", "source": "s"}
    return json.dumps(said | {"published_at": format_ms(at_ms)}).encode()


async def told(rig: Rig) -> list[Alert]:
    return [codec.decode_alert(m.value or b"") for m in await rig.read("riskstream.alerts")]


async def half_a_day(folder: Path, before: str) -> Rig:
    """A desk that has heard a text an hour under rules without one that looks back, and is stopped."""
    rig = Rig(folder, feed=FEED)
    (folder / "rules.toml").write_text(before)
    async with rig.running():
        for hour in range(14):
            rig.now_ms = NOW + hour * H
            await rig.send(text(hour, rig.now_ms))
    return rig


async def four_texts(folder: Path, rig: Rig, rules: str) -> set[str]:
    """The rules that have fired after four texts at once in the next hour."""
    again = Rig(folder, feed=FEED)
    (folder / "rules.toml").write_text(rules)
    again.broker, again.daemon._broker = rig.broker, rig.broker
    rig.now_ms = again.now_ms = NOW + 15 * H
    async with again.running():
        await again.send(*(text(100 + number, again.now_ms) for number in range(4)))
        await until(lambda: not any(stage.in_flight for stage in again.daemon.running.values()))
    return {alert.rule for alert in await told(again)} - {"any-news"}


@pytest.mark.parametrize(("learns", "fired"), [(True, {"burst"}), (False, set())], ids=["learns", "does not"])
async def test_a_rule_that_was_added_knows_what_is_usual(tmp_path: Path, *, learns: bool, fired: set[str]) -> None:
    rig, lines = await half_a_day(tmp_path, RULES), list[str]()
    (tmp_path / "rules.toml").write_text(RULES + SPIKE)
    before = len(await told(rig))
    if learns:
        await learn(rig.broker, rig.settings, NOW, say=lines.append)
        since = "since 2026-03-09T12:00:00.000Z"
        assert lines == [f"bootstrap: watch: 14 signals {since} taught 1 pairs of a rule and a subject"]
    assert len(await told(rig)) == before, "nobody is told of the past"
    assert await four_texts(tmp_path, rig, RULES + SPIKE) == fired


async def test_so_does_one_about_groups(tmp_path: Path) -> None:
    plain = '[[rule]]\nname = "makers"\nby = "group"\naggregate = "count"\nwindow_s = 3600\nlimit = 9\n'
    rig, lines = await half_a_day(tmp_path, RULES + plain), list[str]()
    (tmp_path / "rules.toml").write_text(RULES + plain + OF_GROUPS)
    await learn(rig.broker, rig.settings, NOW, say=lines.append)
    assert [line.split(" since")[0] for line in lines] == [
        "bootstrap: watch: 14 signals",
        "bootstrap: rollups: 14 signals",
    ]
    assert await four_texts(tmp_path, rig, RULES + plain + OF_GROUPS) == {"burst-of-makers"}


def nothing_looks_back(folder: Path) -> str:
    (folder / "rules.toml").write_text(RULES)
    return "`spike` or `new`"


def something_does(folder: Path) -> str:
    (folder / "rules.toml").write_text(SPIKE)
    return "never committed"


@pytest.mark.parametrize("case", [nothing_looks_back, something_does])
async def test_where_it_may_not_be_it_says_why(tmp_path: Path, case: Callable[[Path], str]) -> None:
    rig = Rig(tmp_path, feed=FEED)
    wrong = case(tmp_path)
    async with rig.running():
        if case is something_does:
            with pytest.raises(OperatorError, match="members now"):
                await learn(rig.broker, rig.settings, NOW, say=print)
    with pytest.raises(OperatorError, match=wrong):
        await learn(rig.broker, rig.settings.model_copy(update={"app": "another"}), NOW, say=print)
