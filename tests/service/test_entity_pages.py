"""`GET /v1/entities/{id}` of a whole daemon, and what is kept for it: the records of the state, bounded in bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from riskstream.core.records import Message, Position
from riskstream.core.watching import state
from riskstream.sections import Feed, Http
from riskstream.service.stages.states import RECORD_BYTES, States
from tests.service.daemons import Rig
from tests.service.test_daemon import document
from tests.service.test_http import described
from tests.support.until import until

FEED = Feed(name="wire", topic="wire", start="earliest", partitions=1)


async def ask(rig: Rig, entity: str) -> Any:
    assert rig.daemon.http is not None
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"http://127.0.0.1:{rig.daemon.http.port}/v1/entities/{entity}")
        assert answer.status == 200
        body = await answer.json()
    described("/v1/entities/{id}", "get", 200).validate(body)
    return body


async def test_the_alerts_of_an_entity_its_texts_and_what_each_rule_sees(tmp_path: Path) -> None:
    async with Rig(tmp_path, feed=FEED).running() as rig:
        await rig.send(document(1, source="wire"), document(2, source="paper"), document(3, "Acme opens a shop"))
        pictures = rig.daemon._pictures
        assert pictures is not None
        await until(lambda: len(pictures._states.of("ACME")[0]) == 4 and pictures._states.of("ACME")[2])
        body, bolt = await ask(rig, "ACME"), await ask(rig, "BOLT")
    assert [alert["rule"] for alert in body["open"]] == ["any-news"]
    newest, copy, first = body["picture"]["signals"]
    assert (newest["signal"]["document_id"], newest["copies"], newest["carriers"]) == ("d3", 0, 1)
    assert (copy["story"], copy["copies"], copy["carriers"]) == (first["story"], 1, 2)
    (rule,) = body["picture"]["rules"]
    assert (rule["phase"], rule["value"], rule["alert_id"]) == ("firing", 3, body["open"][0]["alert_id"])
    assert (bolt["open"], bolt["picture"]["name"], bolt["picture"]["documents"]) == ([], "Bolt Bank", 0)


async def test_without_memory_for_it_alerts_alone_are_answered(tmp_path: Path) -> None:
    rig = Rig(tmp_path, feed=FEED)
    http = Http(port=0, open=True, entity_bytes_max=0)
    rig.settings = rig.daemon.settings = rig.settings.model_copy(update={"http": http})
    async with rig.running():
        await rig.send(document(1))
        await until(lambda: len(rig.daemon._board or ()) == 1)
        body = await ask(rig, "ACME")
    assert (len(body["open"]), body["picture"], body["whole"]) == (1, None, False)


def record(key: str, value: str | None, partition: int = 0) -> Message:
    text = None if value is None else value.encode()
    return Message(Position("state", partition, 0), 0, key.encode(), text)


def test_the_newest_record_of_each_key_is_kept_and_a_tombstone_takes_it_away() -> None:
    states = States("state", 10_000)
    for key, value in [("A|signal|1", "x"), ("A|rule|r", "y"), ("A|signal|1", "z"), ("A|rule|r", None)]:
        states.put(record(key, value, partition=3))
    states.put(record("|lane|", "clock", partition=3))
    states.put(record("|lane|", "other", partition=4))
    assert states.of("A") == ({b"A|signal|1": b"z"}, b"clock", False)
    states.read()
    assert states.of("A")[2]
    states.put(record("A|signal|1", None, partition=3))
    assert (states.of("A"), states.size) == (({}, None, True), 0)
    assert record("|lane|", "").key == state.LANE_KEY


def test_beyond_its_bytes_the_one_that_changed_longest_ago_leaves_and_is_not_whole_any_more() -> None:
    states = States("state", 3 * (RECORD_BYTES + 20))
    states.read()
    for entity in "ABCAD":
        states.put(record(f"{entity}|signal|{len(states.of(entity)[0])}", "0123456789"))
    found = {entity: (len(states.of(entity)[0]), states.of(entity)[2]) for entity in "ABCD"}
    assert found == {"A": (2, True), "B": (0, False), "C": (0, False), "D": (1, True)}
    assert states.size <= 3 * (RECORD_BYTES + 20)
    states.put(record("B|signal|7", "again"))
    assert not states.of("B")[2], "what came before is still missing"
    states.clear()
    assert (states.size, states.of("D")) == (0, ({}, None, False))
