"""The daemon from feed to alert on the embedded broker."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from riskstream.core.clock import format_ms
from riskstream.core.errors import OperatorError
from riskstream.core.ports import TopicInfo
from riskstream.core.records import Encoded, Message, Output, Prediction
from riskstream.core.watching import codec
from riskstream.scoring.plain import ConstantScorer
from riskstream.sections import Feed, Http
from riskstream.sections.learning import Reviews
from riskstream.sections.trouble import Overload
from riskstream.service import parts
from riskstream.telemetry.events import OUTCOMES
from tests.service.daemons import NOW, Rig
from tests.support.until import until

BAD = Path(__file__).parent.parent / "testdata" / "feed"
FEED = Feed(name="wire", topic="wire", start="earliest", partitions=1)


def document(number: int, text: str = "Acme beats estimates", **more: object) -> bytes:
    published_at = "2026-03-09T11:59:00Z"
    return json.dumps({"id": f"d{number}", "text": text, "source": "s", "published_at": published_at} | more).encode()


def headers(message: Message) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers}


def outcomes(rig: Rig) -> dict[str, float]:
    found = {o: rig.metric("riskstream_documents_total", feed="wire", outcome=o) for o in OUTCOMES}
    return {outcome: count for outcome, count in found.items() if count}


async def test_a_document_becomes_a_signal_and_an_alert(tmp_path: Path) -> None:
    async with Rig(tmp_path, feed=FEED).running() as rig:
        await rig.send(document(1, "Acme beats estimates, Bolt Bank does not"))
        signals = [codec.decode_signal(m.value or b"") for m in await rig.read("riskstream.signals")]
        alerts = [codec.decode_alert(m.value or b"") for m in await rig.read("riskstream.alerts")]
    assert sorted(signal.signal_id for signal in signals) == ["wire/0/0#ACME", "wire/0/0#BOLT"]
    assert sorted((a.subject.id, a.state, a.sequence, a.reason) for a in alerts) == [
        ("ACME", "firing", 1, "fired"),
        ("BOLT", "firing", 1, "fired"),
    ]
    assert {m.key for m in await rig.read("riskstream.alerts")} == {a.alert_id.encode() for a in alerts}


async def test_every_document_has_one_outcome(tmp_path: Path) -> None:
    async with Rig(tmp_path, feed=FEED).running() as rig:
        await rig.send(
            document(1), document(1), document(2, "nobody we know"), b"{", None, document(3), document(4, "\x00 Acme")
        )
        assert outcomes(rig) == {"scored": 2, "duplicate": 1, "unwatched": 1, "rejected": 3}
        assert len(await rig.read("riskstream.signals")) == 3
        assert len(await rig.read("riskstream.dead-letters")) == 3


def bad_files() -> list[Path]:
    files = sorted(BAD.glob("bad.*.json"))
    assert len(files) >= 40
    return files


async def test_bad_input_is_a_dead_letter_with_reason_bytes_and_position_and_stops_nothing(tmp_path: Path) -> None:
    bad = [file.read_bytes() for file in bad_files()]
    huge = document(0, "Acme " * 2_000_000)
    async with Rig(tmp_path, feed=FEED.model_copy(update={"bytes_max": 1_000_000})).running() as rig:
        rig.broker.message_bytes_max = 20_000_000
        await rig.send(document(1), *bad, None, huge, document(2))
        letters = await rig.read("riskstream.dead-letters")
        assert len(await rig.read("riskstream.signals")) == 2
    assert len(letters) == len(bad) + 2
    for offset, (letter, original) in enumerate(zip(letters, [*bad, None, huge], strict=True), 1):
        told = headers(letter)
        assert told["riskstream-reason"]
        assert (told["riskstream-topic"], told["riskstream-partition"]) == ("wire", "0")
        assert told["riskstream-offset"] == str(offset)
        assert (told["trace"], letter.key) == ("1", b"key")
        if original is not huge:
            assert letter.value == original
            assert told["riskstream-truncated"] == "false"
    assert headers(letters[-1])["riskstream-truncated"] == "true"
    assert headers(letters[-1])["riskstream-sha256"] == hashlib.sha256(huge).hexdigest()
    assert huge.startswith(letters[-1].value or b"?")


class Picky(ConstantScorer):
    """Fails on batches that hold a text with `BOOM`, gives no number for one with `NAN`, cannot tokenise `GAG`."""

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, ...]]:
        if any("GAG" in text for _, text in pairs):
            raise ValueError("gag")
        return super().encode(pairs)

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        texts = ["".join(chr(t) for t in item.tokens if t < 0x110000) for item in batch]
        if any("BOOM" in text for text in texts):
            raise ValueError("boom")
        found = super().score(batch)
        return [
            Prediction(p.sentiment, p.severity, p.risk, p.topic, float("nan")) if "NAN" in text else p
            for text, p in zip(texts, found, strict=True)
        ]


async def test_a_text_that_the_model_fails_on_is_a_dead_letter_and_its_batch_mates_are_scored(tmp_path: Path) -> None:
    texts = ["Acme fine", "Acme BOOM", "Acme good", "Acme NAN", "Acme well", "Acme GAG"]
    async with Rig(tmp_path, feed=FEED, scorer=Picky()).running() as rig:
        await rig.send(*(document(i, text) for i, text in enumerate(texts)))
        letters = await rig.read("riskstream.dead-letters")
        signals = [codec.decode_signal(m.value or b"") for m in await rig.read("riskstream.signals")]
    assert [headers(letter)["riskstream-reason"] for letter in letters] == ["model_error"] * 3
    assert [signal.document_id for signal in signals] == ["d0", "d2", "d4"]


async def test_a_text_that_was_scored_before_is_answered_without_the_model(tmp_path: Path) -> None:
    async with Rig(tmp_path, feed=FEED).running() as rig:
        await rig.send(document(1, "Acme pays"), document(2, "Acme sued"))
        await rig.send(document(3, "Acme pays"), document(4, "Acme wins"))
        signals = [codec.decode_signal(message.value or b"") for message in await rig.read("riskstream.signals")]
        assert rig.metric("riskstream_cache_hits_total") == 1
        assert rig.metric("riskstream_batch_texts_sum") == 3
    scores = {signal.document_id: signal.risk_score for signal in signals}
    assert len(scores) == 4 and scores["d1"] == scores["d3"]


async def test_a_backlog_is_told_from_today_and_an_archive_makes_no_alert(tmp_path: Path) -> None:
    async with Rig(tmp_path, feed=FEED).running() as rig:
        await rig.send(document(1, published_at="2015-01-01T00:00:00Z"))
        (signal,) = [codec.decode_signal(m.value or b"") for m in await rig.read("riskstream.signals")]
        assert signal.late
        assert await rig.read("riskstream.alerts") == []
        assert rig.metric("riskstream_late_total", feed="wire") == 1


async def test_mentions_beyond_the_limit_of_a_document_are_counted(tmp_path: Path) -> None:
    rig = Rig(tmp_path, feed=FEED)
    rig.daemon.settings = rig.settings.model_copy(
        update={"watch": rig.settings.watch.model_copy(update={"entities_per_document_max": 1})}
    )
    async with rig.running():
        await rig.send(document(1, "Acme sues Bolt Bank"))
        assert len(await rig.read("riskstream.signals")) == 1
        assert rig.metric("riskstream_entities_dropped_total", feed="wire") == 1


async def test_an_alert_is_resolved_by_the_clock_of_an_idle_lane(tmp_path: Path) -> None:
    async with Rig(tmp_path, feed=FEED).running() as rig:
        await rig.send(document(1))
        rig.now_ms = NOW + 2 * 3_600_000
        await until(lambda: rig.metric("riskstream_alerts_open", rule="any-news", severity="watch") == 0)
        alerts = await rig.read("riskstream.alerts")
    assert [codec.decode_alert(m.value or b"").state for m in alerts] == ["firing", "resolved"]


async def test_a_restart_goes_on_with_the_alert_that_is_open(tmp_path: Path) -> None:
    rig = Rig(tmp_path, feed=FEED)
    async with rig.running():
        await rig.send(document(1))
    after = Rig(tmp_path, feed=FEED)
    after.broker = rig.broker
    after.daemon._broker = rig.broker
    rig.now_ms = after.now_ms = NOW + 60_000
    async with after.running():
        await after.send(document(2, "Acme again"), document(1))
        alerts = [codec.decode_alert(m.value or b"") for m in await after.read("riskstream.alerts")]
    assert len({alert.alert_id for alert in alerts}) == 1
    assert [(alert.sequence, alert.state) for alert in alerts] == [(1, "firing"), (2, "updated")]


async def test_the_http_port_tells_how_it_is_and_scores(tmp_path: Path) -> None:
    async with Rig(tmp_path, feed=FEED).running() as rig, aiohttp.ClientSession() as client:
        assert rig.daemon.http is not None
        url = f"http://127.0.0.1:{rig.daemon.http.port}"
        await rig.send(document(1))
        async with client.get(f"{url}/readyz") as answer:
            assert answer.status == 200, await answer.text()
        async with client.get(f"{url}/metrics") as answer:
            assert 'riskstream_documents_total{feed="wire",outcome="scored"} 1.0' in await answer.text()
        async with client.post(f"{url}/v1/score", json={"text": "Acme falls", "entity": "Acme", "id": 7}) as answer:
            scored = await answer.json()
        assert (scored["id"], scored["entity"], scored["model"]) == (7, "Acme", "constant@1")
        assert set(scored["severity"]) == {"none", "watch", "material", "severe"}
        async with client.get(f"{url}/v1/model") as answer:
            facts = await answer.json()
        assert (facts["name"], facts["version"], facts["since_at"]) == ("constant", "1", format_ms(NOW))


async def test_a_port_in_use_stops_the_start(tmp_path: Path) -> None:
    async with Rig(tmp_path, feed=FEED).running() as rig:
        assert rig.daemon.http is not None
        second = Rig(tmp_path, feed=FEED)
        second.daemon.settings = second.settings.model_copy(update={"http": Http(port=rig.daemon.http.port)})
        with pytest.raises(OperatorError, match=r"http\.port.*in use"):
            await second.daemon.run(asyncio.Event())


async def test_a_missing_topic_stops_the_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path, feed=FEED)
    with pytest.raises(OperatorError, match=r"'wire': is not on the broker.*topics create"):
        await rig.daemon.run(asyncio.Event())


async def test_state_with_another_number_of_partitions_than_signals_stops_the_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path, feed=FEED)
    topics = [topic for topic in parts.topics_of(rig.settings) if topic.name != "riskstream.state"]
    await rig.broker.create_topics([*topics, TopicInfo("riskstream.state", 5)])
    with pytest.raises(OperatorError, match=r"it has 5 partitions and 'riskstream.signals' has 12.*topics create"):
        await rig.daemon.run(asyncio.Event())


async def test_a_daemon_without_a_feed_does_not_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path, feed=FEED)
    rig.daemon.settings = rig.settings.model_copy(update={"feed": ()})
    with pytest.raises(OperatorError, match="no feed is configured"):
        await rig.daemon.run(asyncio.Event())


async def test_pairs_are_asked_to_be_labelled_in_the_transaction_of_their_signals(tmp_path: Path) -> None:
    rig = Rig(tmp_path, feed=FEED)
    rig.daemon.settings = rig.settings.model_copy(update={"reviews": Reviews(random_share=1.0)})
    async with rig.running():
        await rig.send(document(1, "Acme beats estimates, Bolt Bank does not"), b"{", document(2, "nobody we know"))
        reviews = await rig.read("riskstream.reviews")
        assert rig.metric("riskstream_reviews_total", why="random") == 2
    assert sorted(m.key or b"" for m in reviews) == [b"wire/0/0#ACME", b"wire/0/0#BOLT"]
    asked = [json.loads(m.value or b"") for m in reviews]
    assert sorted((a["entity"], a["why"], a["sampling_rate"], a["labels"]) for a in asked) == [
        ("Acme", "random", 1.0, {}),
        ("Bolt Bank", "random", 1.0, {}),
    ]
    assert {a["text"] for a in asked} == {"Acme beats estimates, Bolt Bank does not"}


async def test_without_reviews_nothing_is_asked_and_the_topic_may_be_missing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, feed=FEED)
    rig.daemon.settings = rig.settings.model_copy(update={"reviews": Reviews(enabled=False, random_share=1.0)})
    async with rig.running():
        await rig.send(document(1))
        assert await rig.read("riskstream.reviews") == []
    assert "riskstream.reviews" not in parts.topics_used(rig.daemon.settings, ["score"])
    assert "riskstream.reviews" in parts.topics_used(rig.settings, ["score"])


async def test_under_overload_what_waited_too_long_is_given_up_counted_and_a_dead_letter(tmp_path: Path) -> None:
    rig = Rig(tmp_path, feed=FEED, overload=Overload(mode="shed", shed_age_s=600, dead_letters=True))
    await rig.broker.create_topics(parts.topics_of(rig.settings))
    publisher = await rig.broker.publisher()
    await publisher.send([Output(FEED.topic, None, document(1))])
    rig.now_ms += 601_000
    async with rig.running():
        await rig.send(document(2))
        assert outcomes(rig) == {"shed": 1, "scored": 1}
        (letter,) = await rig.read("riskstream.dead-letters")
    told = headers(letter)
    assert (told["riskstream-reason"], letter.value) == ("shed", document(1))
    assert told["riskstream-detail"] == "it waited 601 s, 600 are allowed"
