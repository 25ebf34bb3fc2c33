"""Groups, portfolios, sources and the market through a whole daemon: the rollups topic, its lanes and their state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from riskstream.core.errors import OperatorError
from riskstream.core.records import Alert, Output
from riskstream.core.watching import codec
from riskstream.sections import Feed
from riskstream.service import parts
from riskstream.service.daemon.app import ROLLUPS
from tests.service.daemons import NOW, Rig
from tests.support.until import until

FEED = Feed(name="wire", topic="feeds.wire", start="earliest", age_max_s=7 * 86_400)
WATCHLIST = "id,name,aliases,groups,parent,weight\nACME,Acme Corp,Acme,makers,,3\nBOLT,Bolt Bank,,makers,,1\n"
RULES = """
[[rule]]
name = "makers"
by = "group"
aggregate = "count"
window_s = 3600
limits = { watch = 2 }
[[rule]]
name = "holdings"
by = "portfolio"
aggregate = "count"
window_s = 3600
limit = 1
[[rule]]
name = "all"
by = "market"
aggregate = "documents"
window_s = 3600
limit = 2
[[rule]]
name = "silent"
by = "source"
shape = "flatline"
heard_min = 2
limit = 600
"""


def rig(folder: Path) -> Rig:
    made = Rig(folder, feed=FEED)
    (folder / "watchlist.csv").write_text(WATCHLIST)
    (folder / "rules.toml").write_text(RULES)
    return made


def document(number: int, text: str, at: str = "2026-03-09T12:00:00Z") -> bytes:
    return json.dumps({"id": f"d{number}", "text": text, "source": "s", "published_at": at}).encode()


async def alerts(there: Rig) -> list[Alert]:
    return [codec.decode_alert(m.value or b"") for m in await there.read("riskstream.alerts")]


async def test_a_document_reaches_all_that_its_entities_belong_to(tmp_path: Path) -> None:
    async with rig(tmp_path).running() as there:
        await there.send(document(1, "Acme falls"), document(2, "Bolt Bank falls"))
        told = await alerts(there)
        rollups = await there.read("riskstream.rollups")
    assert {(a.rule, a.subject.id, a.documents) for a in told} == {
        ("makers", "makers", 2),
        ("holdings", "makers", 2),
        ("all", "*", 2),
    }
    (portfolio,) = [alert for alert in told if alert.rule == "holdings"]
    assert [(one.id, one.share) for one in portfolio.holdings] == [("ACME", 0.75), ("BOLT", 0.25)]
    assert {m.key for m in rollups} == {b"group:makers", b"portfolio:makers", b"market:*", b"source:s"}


async def test_a_source_that_names_nobody_is_heard_and_its_silence_is_told(tmp_path: Path) -> None:
    async with rig(tmp_path).running() as there:
        await there.send(document(1, "nobody"), document(2, "nobody again"))
        beats = [codec.read_rollup(m) for m in await there.read("riskstream.rollups")]
        assert len(beats) == 1, "one heartbeat a minute"
        there.now_ms = NOW + 120_000
        await there.send(document(3, "nobody", "2026-03-09T12:02:00Z"))
        there.now_ms = NOW + 120_000 + 605_000
        await until(lambda: there.metric("riskstream_alerts_open", rule="silent", severity="material") == 1)
        there.now_ms += 10_000
        await there.send(document(4, "nobody", "2026-03-09T12:12:30Z"))
        assert [(a.subject.id, a.reason) for a in await alerts(there)] == [("s", "fired"), ("s", "cleared")]


async def test_a_restart_goes_on_with_a_group_s_alert(tmp_path: Path) -> None:
    before = rig(tmp_path)
    async with before.running():
        await before.send(document(1, "Acme falls"), document(2, "Bolt Bank falls"))
    after = rig(tmp_path)
    after.broker = after.daemon._broker = before.broker
    before.now_ms = after.now_ms = NOW + 30_000
    async with after.running():
        await after.send(document(3, "Acme falls again"))
        told = [alert for alert in await alerts(after) if alert.rule == "all"]
    assert len({alert.alert_id for alert in told}) == 1
    assert [(alert.sequence, alert.documents) for alert in told] == [(1, 2), (2, 3)]


async def test_what_is_no_rollup_is_a_dead_letter_and_stops_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path).running() as there:
        publisher = await there.broker.publisher()
        bad = (b"{", b'{"by":"source","id":"s"}', b'{"by":"market","id":"*","signal":{"signal_id":1}}', None)
        await publisher.send([Output("riskstream.rollups", b"market:*", value) for value in bad])
        await there.send(document(1, "Acme falls"), document(2, "Bolt Bank falls"))
        letters = await there.read("riskstream.dead-letters")
        reasons = sorted(dict(letter.headers)["riskstream-reason"] for letter in letters)
        assert reasons == [b"bad_time", b"malformed", b"null_value", b"wrong_type"]
        assert len(await alerts(there)) == 3


async def test_without_such_rules_nothing_of_it_is_there(tmp_path: Path) -> None:
    async with Rig(tmp_path, feed=FEED).running() as there:
        await there.send(document(1, "Acme falls"))
        assert ROLLUPS not in there.daemon.running
        assert await there.read("riskstream.rollups") == []


async def test_other_partitions_than_those_of_its_state_stop_the_start(tmp_path: Path) -> None:
    there = rig(tmp_path)
    for topic in parts.topics_of(there.settings):
        partitions = 3 if topic.name == "riskstream.rollups" else topic.partitions
        await there.broker.create_topics([parts.TopicInfo(topic.name, partitions, topic.replication, topic.config)])
    with pytest.raises(OperatorError, match=r"topics\.rollups_state"):
        async with there.running():
            pass
