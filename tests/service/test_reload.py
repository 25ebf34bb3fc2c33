"""Rules and watchlist change under a running daemon: what stays keeps its life, what goes is resolved, what is wrong
is refused."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from riskstream.core.records import Alert
from riskstream.core.watching import codec
from riskstream.sections import Feed
from riskstream.service.daemon.app import ROLLUPS
from riskstream.service.stages.files import read_inputs, read_texts
from riskstream.telemetry.events import ConfigLoaded, ConfigRefused, Event
from tests.service.daemons import RULES, WATCHLIST, Rig
from tests.service.test_daemon import document
from tests.support.until import until

FEED = Feed(name="wire", topic="wire", start="earliest", partitions=1, age_max_s=86_400)
BESIDE = RULES + RULES.replace("any-news", "beside")
OF_GROUPS = RULES + '[[rule]]\nname = "makers"\nby = "group"\naggregate = "count"\nwindow_s = 3600\nlimit = 1\n'


class Reloading(Rig):
    """A daemon that looks at its files every 10 ms, in the two steps of a ConfigMap: `..data` is a link to the files
    in force, and is swapped."""

    def __init__(self, folder: Path, rules: str = BESIDE) -> None:
        super().__init__(folder, feed=FEED)
        self.folder, self.numbers = folder, iter(range(1_000))
        self.events: list[Event] = []
        self.seen: set[tuple[str, int]] = set()
        emit = self.telemetry.emit
        self.telemetry.emit = lambda event: (self.events.append(event), emit(event))[1]  # type: ignore[method-assign]
        for name in ("rules.toml", "watchlist.csv"):
            (folder / name).unlink()
            (folder / name).symlink_to(f"..data/{name}")
        self.write(rules)
        watch = self.settings.watch.model_copy(update={"poll_s": 0.01})
        self.settings = self.daemon.settings = self.settings.model_copy(update={"watch": watch})

    def write(self, rules: str, watchlist: str = WATCHLIST) -> None:
        """Swap the files, both at once, with times that never change."""
        there = self.folder / f"..{next(self.numbers)}"
        there.mkdir()
        for name, text in (("rules.toml", rules), ("watchlist.csv", watchlist)):
            (there / name).write_text(text)
            os.utime(there / name, (0, 0))
        link = self.folder / "..link"
        link.symlink_to(there.name)
        link.rename(self.folder / "..data")

    def of_kind(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    async def taken(self, rules: str, watchlist: str = WATCHLIST) -> None:
        """Swap the files and wait until every lane is judged by them."""
        before, was = len(self.of_kind(ConfigLoaded)), read_inputs(self.settings).hashes
        self.write(rules, watchlist)
        changed = sum(was[kind] != now for kind, now in read_inputs(self.settings).hashes.items())
        await until(lambda: len(self.of_kind(ConfigLoaded)) == before + changed)
        await until(lambda: all(p._current(lane) for p in self.daemon._watching for lane in p._lanes.values()))
        await until(lambda: not any(stage.in_flight for stage in self.daemon.running.values()))

    async def alerts(self) -> list[Alert]:
        return [codec.decode_alert(m.value or b"") for m in await self.read("riskstream.alerts")]

    async def told(self) -> list[str]:
        """What was told since the last call, in order of rule and subject."""
        new = [alert for alert in await self.alerts() if (alert.alert_id, alert.sequence) not in self.seen]
        self.seen |= {(alert.alert_id, alert.sequence) for alert in new}
        return sorted(f"{alert.rule} {alert.subject.id} {alert.reason}" for alert in new)


async def test_a_rule_that_stays_keeps_its_life_and_one_that_goes_is_resolved(tmp_path: Path) -> None:
    async with Reloading(tmp_path).running() as rig:
        await rig.send(document(1))
        before = {alert.rule: alert for alert in await rig.alerts()}
        assert await rig.told() == ["any-news ACME fired", "beside ACME fired"]
        await rig.taken(RULES)
        assert await rig.told() == ["beside ACME rule_removed"]
        await rig.taken(RULES.replace("watch = 1", "material = 1"))
        assert await rig.told() == ["any-news ACME fired", "any-news ACME rule_changed"]
        told = {alert.reason: alert for alert in await rig.alerts() if alert.rule == "any-news"}
    was, ended, again = before["any-news"], told["rule_changed"], told["fired"]
    assert (ended.alert_id, ended.sequence, ended.rule_version) == (was.alert_id, 2, was.rule_version)
    assert (again.alert_id == was.alert_id, again.rule_version == was.rule_version) == (False, False)
    assert again.evidence == was.evidence, "what is remembered fires the changed rule at once"


def test_files_that_stay_as_they_were_at_the_start_are_not_parsed_again(tmp_path: Path) -> None:
    rig = Reloading(tmp_path)
    section, inputs = rig.settings.watch, read_inputs(rig.settings)
    assert inputs.digests == {kind: read_texts(kind, section).digest for kind in ("rules", "watchlist")}
    rig.write(RULES)
    assert inputs.digests["rules"] != read_texts("rules", section).digest
    assert inputs.digests["watchlist"] == read_texts("watchlist", section).digest


async def test_an_unchanged_rule_goes_on_counting(tmp_path: Path) -> None:
    async with Reloading(tmp_path, BESIDE.replace("watch = 1", "watch = 2")).running() as rig:
        await rig.send(document(1))
        await rig.taken(RULES.replace("watch = 1", "watch = 2"))
        await rig.send(document(2, "Acme sues"))
        (alert,) = await rig.alerts()
    assert (alert.rule, alert.documents) == ("any-news", 2)


REFUSED = [
    (
        "rules",
        RULES + "sverity = 1\n",
        WATCHLIST,
        ["rules.toml", "any-news", "sverity = 1", "mean 'severity'"],
    ),
    ("rules", "[[rule]\n", WATCHLIST, ["rules.toml", "Fix"]),
    ("rules", BESIDE.replace("count", "cuont"), WATCHLIST, ["aggregate = 'cuont'", "3 more: `riskstream rules check`"]),
    ("rules", RULES + 'field = "risk.weather"\n', WATCHLIST, ["rules.toml", "weather"]),
    ("watchlist", BESIDE, WATCHLIST + "ACME,Again,,\n", ["watchlist.csv", "line 4", "ACME", "Fix"]),
]


@pytest.mark.parametrize(("kind", "rules", "watchlist", "said"), REFUSED, ids=range(len(REFUSED)))
async def test_a_file_that_is_wrong_is_refused_in_one_line_and_nothing_changes(
    tmp_path: Path, kind: str, rules: str, watchlist: str, said: Sequence[str]
) -> None:
    async with Reloading(tmp_path).running() as rig:
        rig.write(rules, watchlist)
        await until(lambda: rig.metric("riskstream_config_refused", kind=kind) == 1)
        await rig.send(document(1))
        assert len(await rig.alerts()) == 2, "both rules of before are in force"
        rig.write(BESIDE)
        await until(lambda: rig.metric("riskstream_config_refused", kind=kind) == 0)
        (refused,) = rig.of_kind(ConfigRefused)
        assert isinstance(refused, ConfigRefused)
        assert "\n" not in refused.detail
        assert [word for word in said if word not in refused.detail] == []
        assert len(await rig.alerts()) == 2


async def test_a_file_that_went_away_is_refused_and_disturbs_nobody_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with Reloading(tmp_path).running() as rig:
        await rig.send(document(1))
        (tmp_path / "rules.toml").rename(tmp_path / "gone")
        await until(lambda: rig.metric("riskstream_config_refused", kind="rules") == 1)
        (tmp_path / "gone").rename(tmp_path / "rules.toml")
        await until(lambda: rig.metric("riskstream_config_refused", kind="rules") == 0)
        assert len(await rig.alerts()) == 2


async def test_who_joins_the_watchlist_is_found_and_who_leaves_is_resolved(tmp_path: Path) -> None:
    async with Reloading(tmp_path, RULES).running() as rig:
        await rig.send(document(1), document(2, "Cask Brewing files for protection"))
        await rig.taken(RULES, WATCHLIST.replace("ACME,Acme Corp,Acme,makers", "CASK,Cask Brewing,,makers"))
        await rig.send(document(3), document(4, "Cask Brewing files again"))
        assert await rig.told() == ["any-news ACME entity_removed", "any-news ACME fired", "any-news CASK fired"]


async def test_a_first_rule_about_others_than_entities_starts_its_lanes(tmp_path: Path) -> None:
    async with Reloading(tmp_path, RULES).running() as rig:
        await rig.taken(OF_GROUPS)
        await until(lambda: ROLLUPS in rig.daemon.running and rig.daemon.running[ROLLUPS].lanes_ready)
        await rig.send(document(1))
        assert await rig.told() == ["any-news ACME fired", "makers makers fired"]
        await rig.taken(RULES)
        assert await rig.told() == ["makers makers rule_removed"]


async def test_it_is_refused_where_their_topics_are_missing(tmp_path: Path) -> None:
    async with Reloading(tmp_path, RULES).running() as rig:
        await rig.broker.delete_topic(rig.settings.topics.rollups)
        rig.write(OF_GROUPS)
        await until(lambda: rig.metric("riskstream_config_refused", kind="rules") == 1)
        (refused,) = rig.of_kind(ConfigRefused)
    assert "riskstream topics create" in str(refused)
    assert ROLLUPS not in rig.daemon.running


async def test_the_hash_of_what_is_in_force_is_shown_and_kept_in_the_state(tmp_path: Path) -> None:
    async with Reloading(tmp_path).running() as rig:
        await rig.send(document(1))
        await rig.taken(RULES)
        hashes = read_inputs(rig.settings).hashes
        assert all(rig.metric("riskstream_config_hash", kind=kind, hash=now) == 1 for kind, now in hashes.items())
        lanes = {m.position.partition: m.value for m in await rig.read("riskstream.state") if m.key == b"|lane|"}
    kept = {msgspec.json.decode(value or b"")["state"]["config"] for value in lanes.values()}
    assert kept == {f"{hashes['rules']} {hashes['watchlist']}"}
