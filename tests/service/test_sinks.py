"""Sinks over real sockets: what a receiver gets, whatever it answers, and that nothing waits for it."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from riskstream.core.clock import format_ms
from riskstream.core.errors import OperatorError
from riskstream.core.ports import Start
from riskstream.core.records import Alert, Output
from riskstream.core.watching import codec
from riskstream.kafka.memory import MemoryBroker
from riskstream.sections import Stages
from riskstream.sections.sink import Sink
from riskstream.service.health import Health
from riskstream.service.sinks.alertmanager import AlertmanagerSink
from riskstream.service.sinks.config import target
from riskstream.service.sinks.webhook import WebhookProcessor, signed
from riskstream.service.stages.serving import follow_alerts
from riskstream.service.stages.stage import Stage
from riskstream.telemetry import Metrics, Telemetry
from tests.deploy.charts import tool
from tests.report.alerts import life
from tests.support.brokers import new_topic, publish
from tests.support.until import until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver:
    """A server that answers with the codes that it is given, then 200, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.taken: list[tuple[dict[str, str], Any]] = []
        self.asked = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.taken.append((dict(request.headers), json.loads(await request.read())))
        return web.Response(status=status, text="no" if status != 200 else "", headers={"Location": self.url})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """One on a free port."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{any:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


class Hook:
    """A webhook stage on the embedded broker."""

    def __init__(self, broker: MemoryBroker, topic: str, telemetry: Telemetry) -> None:
        self.broker, self.topic, self.telemetry = broker, topic, telemetry

    async def say(self, *alerts: Alert) -> None:
        await publish(
            self.broker, *(Output(self.topic, alert.alert_id.encode(), codec.encode(alert)) for alert in alerts)
        )

    def failures(self, sink: str = "desk") -> float:
        labels = {"sink": sink}
        return self.telemetry.metrics.registry.get_sample_value("riskstream_sink_failures_total", labels) or 0


@asynccontextmanager
async def hooked(sink: Sink, broker: MemoryBroker, topic: str) -> AsyncIterator[Hook]:
    """Run one until the block ends."""
    telemetry, stop = Telemetry(Metrics()), asyncio.Event()
    processor = WebhookProcessor(target(sink), telemetry=telemetry, now_ms=lambda: 1_773_014_400_000)
    stage = Stage(
        f"sink-{sink.name}", broker, "app", {topic: Start("earliest")}, processor, Stages(commit_ms=1, drain_ms=500),
        telemetry=telemetry, health=Health(), now_ms=lambda: 0,
    )  # fmt: skip
    running = asyncio.create_task(stage.run(stop))
    yield Hook(broker, topic, telemetry)
    stop.set()
    await running
    await processor.close()


@pytest.fixture
async def alerts_topic() -> tuple[MemoryBroker, str]:
    """A broker with a topic of two partitions."""
    clock = iter(range(1_773_014_400_000, 1_900_000_000_000))
    broker = MemoryBroker(lambda: next(clock))
    return broker, await new_topic(broker, 2)


def sequences(receiver: Receiver, subject: str = "ACME") -> list[int]:
    return [body["sequence"] for _, body in receiver.taken if body["subject"]["id"] == subject]


async def test_every_record_is_posted_in_the_order_of_its_alert(
    receiver: Receiver, alerts_topic: tuple[MemoryBroker, str]
) -> None:
    async with hooked(Sink(name="desk", kind="webhook", url=receiver.url), *alerts_topic) as hook:
        await hook.say(*life("wms.r"), *life("m.r", subject="ZEUS"))
        await until(lambda: len(receiver.taken) == 6)
    assert sequences(receiver) == [1, 2, 3, 4]
    assert sequences(receiver, "ZEUS") == [1, 2]
    assert len({headers["webhook-id"] for headers, _ in receiver.taken}) == 6


@pytest.mark.parametrize(
    ("parent", "posted"),
    [(f"00-{'0af7' * 8}-{'b7ad' * 4}-01", True), (f"00-{'0af7' * 8}-{'b7ad' * 4}-01\r\nHost: x", False), ("", False)],
)
async def test_a_record_that_is_traced_is_posted_with_its_trace(
    receiver: Receiver, alerts_topic: tuple[MemoryBroker, str], parent: str, posted: bool
) -> None:
    broker, topic = alerts_topic
    (alert,) = life("w")
    async with hooked(Sink(name="desk", kind="webhook", url=receiver.url), *alerts_topic):
        await publish(broker, Output(topic, b"a", codec.encode(alert), (("traceparent", parent.encode()),)))
        await until(lambda: len(receiver.taken) == 1)
    assert receiver.taken[0][0].get("traceparent") == (parent if posted else None)


async def test_what_was_taken_is_not_posted_again_by_the_next_owner(
    receiver: Receiver, alerts_topic: tuple[MemoryBroker, str]
) -> None:
    sink = Sink(name="desk", kind="webhook", url=receiver.url)
    async with hooked(sink, *alerts_topic) as hook:
        await hook.say(*life("w"))
        await until(lambda: len(receiver.taken) == 1)
    async with hooked(sink, *alerts_topic) as hook:
        await hook.say(*life(".m", subject="ZEUS"))
        await until(lambda: len(receiver.taken) == 2)
    assert [body["subject"]["id"] for _, body in receiver.taken] == ["ACME", "ZEUS"]


@pytest.mark.parametrize(
    ("answer", "asked", "taken"), [(503, 2, 1), (429, 2, 1), (400, 1, 0), (410, 1, 0), (302, 1, 0)]
)
async def test_an_outage_is_waited_for_and_a_refusal_is_passed_over(
    receiver: Receiver, alerts_topic: tuple[MemoryBroker, str], answer: int, asked: int, taken: int
) -> None:
    receiver.answers = [answer]
    async with hooked(Sink(name="desk", kind="webhook", url=receiver.url), *alerts_topic) as hook:
        await hook.say(*life("w"))
        await until(lambda: receiver.asked == asked and len(receiver.taken) == taken)
        await until(lambda: hook.failures() == 1)


async def test_a_record_that_is_never_taken_is_given_up_and_the_next_goes_out(
    receiver: Receiver, alerts_topic: tuple[MemoryBroker, str]
) -> None:
    receiver.answers = [500]
    sink = Sink(name="desk", kind="webhook", url=receiver.url, give_up_s=1)
    async with hooked(sink, *alerts_topic) as hook:
        await hook.say(*life("wm"))
        await until(lambda: sequences(receiver) == [2])
        assert hook.failures() == 1


@pytest.mark.parametrize(
    ("letters", "posted"), [("w", []), ("wm", [2]), ("w.r", [2]), ("m.w.r", [1, 2, 3]), ("wsm", [2, 3])]
)
async def test_lesser_alerts_are_left_out_but_never_an_end(
    receiver: Receiver, alerts_topic: tuple[MemoryBroker, str], letters: str, posted: list[int]
) -> None:
    sink = Sink(name="desk", kind="webhook", url=receiver.url, severity_min="material")
    records = life(letters)
    records = [
        record if record.severity != "watch" or record.sequence == 1 or record.state == "resolved"
        else lowered(record) for record in records
    ]  # fmt: skip
    async with hooked(sink, *alerts_topic) as hook:
        await hook.say(*records, *life("s", subject="LAST"))
        await until(lambda: sequences(receiver, "LAST") == [1])
        await until(lambda: sequences(receiver) == posted)


def lowered(record: Alert) -> Alert:
    """The record as the one that lowers its alert."""
    return msgspec.structs.replace(record, reason="lowered")


def test_requests_are_signed_as_the_standard_says() -> None:
    """The example of the specification of Standard Webhooks, with its secret and its signature."""
    where = target(Sink(name="desk", kind="webhook", url="https://example.com", secret_file=None))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    where = msgspec.structs.replace(where, key=key)
    headers = signed(where, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("secret", "wrong"),
    [("plain", "no secret"), ("whsec_!!!", "no secret"), ("whsec_c2hvcnQ=", "no secret"), ("", "empty")],
)
def test_a_secret_that_is_none_stops_the_start_and_is_not_shown(tmp_path: Path, secret: str, wrong: str) -> None:
    (tmp_path / "secret").write_text(secret)
    with pytest.raises(OperatorError, match=wrong) as raised:
        target(Sink(name="desk", kind="webhook", url="https://example.com", secret_file=tmp_path / "secret"))
    assert not secret or secret not in str(raised.value)


@asynccontextmanager
async def telling(
    url: str, broker: MemoryBroker, topic: str, now_ms: Callable[[], int], **more: Any
) -> AsyncIterator[Telemetry]:
    """An Alertmanager sink that reads the alerts topic."""
    telemetry, ready = Telemetry(Metrics()), asyncio.Event()
    where = target(Sink(name="desk", kind="alertmanager", url=url, **more))
    sink = AlertmanagerSink(where, telemetry=telemetry, now_ms=now_ms)
    tasks = [
        asyncio.create_task(follow_alerts(broker, topic, [sink], ready, telemetry=telemetry, health=Health())),
        asyncio.create_task(sink.run(ready)),
    ]
    yield telemetry
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def names(receiver: Receiver) -> set[str]:
    return {alert["labels"]["alertname"] for _, body in receiver.taken for alert in body}


async def test_an_alert_that_had_ended_before_the_start_is_never_told_as_firing(
    receiver: Receiver, alerts_topic: tuple[MemoryBroker, str]
) -> None:
    broker, topic = alerts_topic
    hook = Hook(broker, topic, Telemetry(Metrics()))
    await hook.say(*life("s.r"), *life("m", rule="other"))
    async with telling(receiver.url, broker, topic, lambda: 1_773_014_400_000 + 3_600_000):
        await until(lambda: names(receiver) == {"Watchdog", "other"})
    assert receiver.taken[0][1][0]["labels"]["alertname"] == "Watchdog"


async def test_an_alertmanager_that_is_away_is_counted_and_told_when_it_is_back(
    receiver: Receiver, alerts_topic: tuple[MemoryBroker, str]
) -> None:
    broker, topic = alerts_topic
    receiver.answers = [503]
    await Hook(broker, topic, Telemetry(Metrics())).say(*life("s"))
    async with telling(receiver.url, broker, topic, lambda: 1_773_014_400_000) as telemetry:
        await until(lambda: names(receiver) == {"Watchdog", "shock"})
        labels = {"sink": "desk"}
        assert telemetry.metrics.registry.get_sample_value("riskstream_sink_failures_total", labels) == 1


@pytest.mark.prometheus
async def test_a_real_alertmanager_fires_and_resolves(tmp_path: Path, alerts_topic: tuple[MemoryBroker, str]) -> None:
    """With Debian's Alertmanager: what fires is active there, and leaves the list when it is resolved."""
    broker, topic = alerts_topic
    hook = Hook(broker, topic, Telemetry(Metrics()))
    firing, ended = (moved(record, wall_ms()) for record in life("sr"))
    async with alertmanager(tmp_path) as url, aiohttp.ClientSession() as session:
        await hook.say(firing)

        async def active() -> set[tuple[str, str]]:
            async with session.get(f"{url}/api/v2/alerts", params={"active": "true"}) as answer:
                listed: Sequence[dict[str, Any]] = await answer.json()
            return {(alert["labels"]["alertname"], alert["labels"]["severity"]) for alert in listed}

        async def wait_for(expected: set[tuple[str, str]]) -> None:
            for _ in range(300):
                if await active() == expected:
                    return
                await asyncio.sleep(0.2)
            assert await active() == expected

        async with telling(url, broker, topic, wall_ms):
            await wait_for({("Watchdog", "none"), ("shock", "critical")})
            await hook.say(ended)
            await wait_for({("Watchdog", "none")})


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def moved(record: Alert, now_ms: int) -> Alert:
    """The record with its times at now: a real Alertmanager has a clock of its own."""
    at = format_ms(now_ms)
    ends = at if record.state == "resolved" else None
    return msgspec.structs.replace(record, starts_at=format_ms(now_ms - 60_000), updated_at=at, ends_at=ends)


@asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[str]:
    """Run one on a free port of loopback, and end it."""
    (folder / "alertmanager.yml").write_text('{"route": {"receiver": "none"}, "receivers": [{"name": "none"}]}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    where = (f"--storage.path={folder / 'data'}", f"--web.listen-address={address}", "--cluster.listen-address=")
    with (folder / "alertmanager.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            tool("alertmanager"), f"--config.file={folder / 'alertmanager.yml'}", *where, stdout=log, stderr=log
        )
    try:
        async with aiohttp.ClientSession() as session:
            for _ in range(300):
                if process.returncode is not None or await _ready(session, address):
                    break
                await asyncio.sleep(0.2)
        assert process.returncode is None, (folder / "alertmanager.log").read_text()
        yield f"http://{address}"
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), 20)


async def _ready(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(f"http://{address}/-/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
