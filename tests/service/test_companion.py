"""Rounds of the companion over the embedded broker: what people say goes in, a version comes out or does not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from riskstream.core.asking.labels import in_held
from riskstream.core.errors import OperatorError
from riskstream.core.records import Output
from riskstream.core.watching import codec
from riskstream.kafka.memory import MemoryBroker
from riskstream.registry.store import set_alias
from riskstream.scoring.manifest import read_manifest, verify
from riskstream.service import parts
from riskstream.service.commands.companion import run_once
from riskstream.settings import Settings
from tests.core.signals import make_signal
from tests.service.desks import Desk, label, records, senseless, sound
from tests.support.brokers import publish


async def broker_with(settings: Settings, labels: Sequence[Mapping[str, Any]], *raw: bytes | None) -> MemoryBroker:
    broker = MemoryBroker(now_ms=lambda: 0)
    await broker.create_topics(parts.topics_of(settings))
    await send(broker, labels, *raw)
    return broker


async def send(broker: MemoryBroker, labels: Sequence[Mapping[str, Any]], *raw: bytes | None) -> None:
    outputs = [Output("riskstream.labels", key, value) for key, value in records(labels)]
    await publish(broker, *outputs, *(Output("riskstream.labels", b"k", value) for value in raw))


async def test_a_round_that_learns_something_makes_a_new_champion_and_the_next_finds_nothing_new(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    broker = await broker_with(desk.settings, sound(120))
    report = await run_once(desk.settings, broker)
    assert (report["round"], report["promoted"], report["reasons"]) == ("done", True, []), report
    assert (report["champion"], report["candidate"]) == ("tiny@1", "tiny@2")
    assert (desk.alias("champion"), desk.alias("candidate")) == ("2", "2")
    assert report["held"]["all"]["low"] > 0
    assert report["rows"]["new"] + report["rows"]["held"] == 120
    made = desk.models / "tiny" / "2"
    manifest = read_manifest(made)
    verify(made, manifest)
    assert (manifest.parent, manifest.labels) == ("tiny@1", read_manifest(desk.models / "tiny" / "1").labels)
    again = await run_once(desk.settings, broker)
    assert (again["round"], again["promoted"], again["labels"]["new"]) == ("nothing new", False, 0)
    assert again["last"] == {"version": "2", "promoted": True, "reasons": []}
    assert desk.versions() == ["1", "2"]
    await send(broker, sound(30, first=500))
    third = await run_once(desk.settings, broker)
    assert (third["champion"], third["candidate"], third["labels"]["new"]) == ("tiny@2", "tiny@3", 30)
    json.dumps(third)


async def test_senseless_labels_make_a_candidate_and_no_champion(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    report = await run_once(desk.settings, await broker_with(desk.settings, senseless(120)))
    assert report["promoted"] is False
    assert report["reasons"]
    assert (desk.alias("champion"), desk.alias("candidate"), desk.versions()) == ("1", "2", ["1", "2"])


@pytest.mark.parametrize(
    ("count", "state"), [(0, "nothing new"), (19, "waiting"), (20, "done")], ids=["none", "too few", "enough"]
)
async def test_a_round_waits_for_enough_new_labels(tmp_path: Path, count: int, state: str) -> None:
    desk = Desk(tmp_path)
    report = await run_once(desk.settings, await broker_with(desk.settings, sound(count)))
    assert report["round"] == state
    assert desk.versions() == (["1", "2"] if state == "done" else ["1"])


async def test_labels_that_cannot_be_used_are_counted_and_stop_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    strange = label(900, "x", {"risk": ["weather"]})
    lost = label(901, "x", {"severity": 1}, text="")
    broker = await broker_with(desk.settings, [strange, lost, *sound(15)], b"{", b"[]", None, b'{"labels":{}}')
    report = await run_once(desk.settings, broker)
    assert report["labels"]["refused"] == {
        "malformed": 1, "wrong_type": 1, "no_text": 1, "unknown_label": 1, "no_signal": 1,
    }  # fmt: skip
    assert (report["labels"]["records"], report["labels"]["usable"], report["round"]) == (21, 15, "waiting")


async def test_a_label_without_a_text_is_joined_to_its_review_or_else_to_its_signal(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    bare = [label(n, "", {"severity": 1}, text="") for n in (1, 2, 3)]
    broker = await broker_with(desk.settings, bare)
    review = label(1, "asked about", {}, annotator="")
    signal = make_signal(signal_id="wire/0/2#BRW", title="Brightwater falls")
    await publish(
        broker,
        Output("riskstream.reviews", b"wire/0/1#BRW", json.dumps(review).encode()),
        Output("riskstream.signals", b"BRW", b"not a signal"),
        Output("riskstream.signals", b"BRW", codec.encode(signal)),
    )
    report = await run_once(desk.settings, broker)
    assert (report["labels"]["usable"], report["labels"]["refused"]) == (2, {"no_signal": 1})


async def test_the_newest_labels_are_kept_and_the_others_counted(tmp_path: Path) -> None:
    desk = Desk(tmp_path, labels_max=10)
    report = await run_once(desk.settings, await broker_with(desk.settings, sound(15)))
    assert (report["labels"]["usable"], report["labels"]["passed_over"]) == (10, 5)


async def test_the_champion_moves_only_from_the_version_that_the_round_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from riskstream.service.commands import companion

    desk = Desk(tmp_path)
    asked = companion.decide

    def meanwhile(*given: Any) -> Any:  # somebody promotes another version while the round is under way
        (desk.models / "tiny" / "1").rename(desk.models / "tiny" / "1b")
        set_alias(desk.models, "tiny", "champion", "1b")
        return asked(*given)

    monkeypatch.setattr(companion, "decide", meanwhile)
    report = await run_once(desk.settings, await broker_with(desk.settings, sound(120)))
    assert report["reasons"] == [] and report["promoted"] is False
    assert (desk.alias("champion"), desk.alias("candidate")) == ("1b", "2")


async def test_a_round_that_was_killed_left_nothing_behind_and_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from riskstream.service.commands import companion

    desk = Desk(tmp_path)
    broker = await broker_with(desk.settings, sound(120))
    with monkeypatch.context() as patch:
        patch.setattr(companion, "decide", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            await run_once(desk.settings, broker)
    assert desk.versions() == ["1"]
    report = await run_once(desk.settings, broker)
    assert (report["round"], report["candidate"], report["labels"]["new"]) == ("done", "tiny@2", 120)


async def test_without_a_label_to_hold_back_the_round_waits(tmp_path: Path) -> None:
    desk = Desk(tmp_path, labels_min=1)
    taught = [one for one in sound(60) if not in_held(one["text"])][:5]
    report = await run_once(desk.settings, await broker_with(desk.settings, taught))
    assert (report["round"], report["promoted"], desk.versions()) == ("waiting", False, ["1"])
    assert "5 are to learn and 0 held back" in report["reasons"][0]


async def test_without_golden_rows_nothing_is_fitted(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    rows = desk.folder / "data" / "rows.jsonl"
    rows.write_text("\n".join(line for line in rows.read_text().splitlines() if '"valid"' not in line))
    with pytest.raises(OperatorError, match=r"trainer\.config.*no golden rows"):
        await run_once(desk.settings, await broker_with(desk.settings, sound(60)))
    assert desk.versions() == ["1"]


async def test_a_model_that_is_a_directory_cannot_be_refreshed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    model = desk.settings.models.model_copy(update={"name": str(desk.models / "tiny" / "1")})
    settings = desk.settings.model_copy(update={"models": model})
    with pytest.raises(OperatorError, match=r"models\.name.*aliases"):
        await run_once(settings, await broker_with(settings, sound(30)))
