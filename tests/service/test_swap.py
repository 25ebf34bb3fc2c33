"""The running daemon follows its alias: good versions are taken over under load, others refused, and back again."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from riskstream.core.errors import GoldenFailed, UnsignedVersion
from riskstream.core.lanes.refusals import REFUSALS
from riskstream.core.records import Output, Signal
from riskstream.core.watching import codec
from riskstream.registry import store
from riskstream.registry.signatures import sign
from riskstream.scoring.plain import ConstantScorer
from riskstream.sections import Feed, Models
from riskstream.service.ask import score_chunk
from riskstream.service.stages import files
from riskstream.service.stages.swap import Follower, Loaded, load_first
from tests.service.daemons import Rig
from tests.support import versions
from tests.support.brokers import fresh
from tests.support.signing import keys
from tests.support.until import until

FEED = Feed(name="wire", topic="wire", start="earliest", partitions=2)
RULES = """
[[rule]]
name = "cyber-news"
field = "risk.cyber"
aggregate = "max"
window_s = 3600
limits = { watch = 0.99 }
"""


class Swapping(Rig):
    """The daemon with a registry of its own, whose alias it looks at every 10 ms."""

    def __init__(self, folder: Path, root: str | Path, **models: object) -> None:
        super().__init__(folder, feed=FEED)
        (folder / "rules.toml").write_text(RULES)
        chosen = {"root": str(root), "name": "tiny@champion", "poll_s": 0.01, "device": "cpu", "threads": 1}
        section = Models(**{**chosen, "cache": folder / "cache", **models})  # type: ignore[arg-type]
        self.settings = self.settings.model_copy(update={"models": section})
        self.daemon.settings, self.daemon._scorer = self.settings, None
        self.numbers = itertools.count()
        self.sent = 0

    @property
    def model(self) -> str:
        """The version that metrics say is running; none or several are a failure."""
        families = {f.name: f for f in self.telemetry.metrics.registry.collect()}
        (sample,) = families["riskstream_model_info"].samples
        return sample.labels["model"]

    def refusals(self) -> dict[str, float]:
        found = {r: self.metric("riskstream_model_refused_total", reason=r) for r in REFUSALS}
        return {reason: count for reason, count in found.items() if count}

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """Documents come in all the time, and all of them are scored in the end."""
        publisher = await self.broker.publisher()
        stop = asyncio.Event()

        async def feed() -> None:
            while not stop.is_set():
                numbers = [next(self.numbers) for _ in range(5)]
                await publisher.send([Output("wire", str(n).encode(), document(n)) for n in numbers])
                self.sent += len(numbers)
                await asyncio.sleep(0.002)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed())
            try:
                yield
            finally:
                stop.set()
        await self.settle()

    async def signals(self) -> list[Signal]:
        return [codec.decode_signal(m.value or b"") for m in await self.read("riskstream.signals")]

    async def scored(self, more: int = 40) -> None:
        """Wait until so many more documents are committed."""
        now = self.metric("riskstream_signals_total", feed="wire")
        await until(lambda: self.metric("riskstream_signals_total", feed="wire") >= now + more)


def document(number: int) -> bytes:
    told = {"id": f"d{number}", "text": f"Acme {number}", "source": "s", "published_at": "2026-03-09T11:59:00Z"}
    return json.dumps(told).encode()


def lane_of(signal: Signal) -> str:
    return signal.signal_id.split("#")[0].rpartition("/")[0]


async def test_a_good_version_is_taken_over_under_load_and_nothing_is_lost_or_mixed(tmp_path: Path) -> None:
    root = versions.registry(tmp_path, "1", "2")
    rig = Swapping(tmp_path, root)
    async with rig.running(), rig.under_load():
        await rig.scored()
        assert rig.model == "tiny@1"
        store.promote(root, "tiny@2")
        await until(lambda: rig.model == "tiny@2")
        await rig.scored()
        ready, conditions = rig.daemon.health.ready()
        assert ready, conditions
    signals = await rig.signals()
    assert sorted(signal.document_id for signal in signals) == sorted(f"d{n}" for n in range(rig.sent))
    for lane in ("wire/0", "wire/1"):
        names = [signal.model for signal in signals if lane_of(signal) == lane]
        assert [name for name, _ in itertools.groupby(names)] == ["tiny@1", "tiny@2"]
    scorers = {name: load_first(Models(root=str(root), name=name)).scorer for name in ("tiny@1", "tiny@2")}
    for signal in signals[:: max(1, len(signals) // 40)]:
        line = json.dumps({"text": f"Acme {signal.document_id[1:]}", "entity": "Acme"}).encode()
        (answer,) = score_chunk([line], scorers[signal.model])
        assert answer["risk_score"] == pytest.approx(signal.risk_score, abs=2e-4)  # type: ignore[index]
    assert rig.refusals() == {}
    assert rig.metric("riskstream_model_swap_seconds_count") == 2, "the start, and the swap"


BAD = [
    (versions.damaged, "hash"),
    (versions.wrong_labels, "labels"),
    (versions.without_a_rules_label, "labels"),
    (versions.other_scores, "golden"),
    (versions.without_golden, "golden"),
    (versions.unloadable, "load"),
    (versions.of_another_name, "load"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD, ids=lambda value: getattr(value, "__name__", value))
async def test_a_bad_version_is_refused_once_and_the_one_that_runs_goes_on(
    tmp_path: Path, bad: Callable[[Path, str], None], reason: str
) -> None:
    root = versions.registry(tmp_path, "1", "3")
    bad(root, "2")
    rig = Swapping(tmp_path, root)
    async with rig.running(), rig.under_load():
        store.set_alias(root, "tiny", store.CHAMPION, "2")
        await until(rig.refusals)
        await rig.scored()
        assert (rig.model, rig.refusals()) == ("tiny@1", {reason: 1})
        assert rig.daemon.health.ready()[0]
        store.set_alias(root, "tiny", store.CHAMPION, "3")  # and a good one is taken after it
        await until(lambda: rig.model == "tiny@3")
    assert rig.refusals() == {reason: 1}, "tried once, not at every poll"
    assert len(await rig.signals()) == rig.sent


async def test_a_version_is_taken_once_somebody_who_is_trusted_has_signed_it(tmp_path: Path) -> None:
    root = versions.registry(tmp_path, "1", "2")
    key, signers = keys(tmp_path / "desk")
    shelf = store.opened(root)
    sign(shelf, "tiny@1", key)
    rig = Swapping(tmp_path, root, signers_file=signers)
    async with rig.running(), rig.under_load():
        store.promote(root, "tiny@2")
        await until(rig.refusals)
        await rig.scored()
        assert (rig.model, rig.refusals()) == ("tiny@1", {"signature": 1})
        sign(shelf, "tiny@2", key)
        await until(lambda: rig.model == "tiny@2")
    assert rig.refusals() == {"signature": 1}
    with pytest.raises(UnsignedVersion):
        load_first(Models(root=str(root), name="tiny@1", signers_file=keys(tmp_path / "stranger")[1]))


async def test_a_refused_version_is_tried_again_once_its_files_change(tmp_path: Path) -> None:
    root = versions.registry(tmp_path, "1")
    versions.damaged(root, "2")
    rig = Swapping(tmp_path, root)
    async with rig.running():
        store.set_alias(root, "tiny", store.CHAMPION, "2")
        await until(lambda: rig.refusals() == {"hash": 1})
        path = root / "tiny" / "2" / "model.safetensors"
        weights = bytearray(path.read_bytes())
        weights[-1] ^= 1
        path.write_bytes(weights)
        await until(lambda: rig.model == "tiny@2")
    assert rig.refusals() == {"hash": 1}


async def test_a_rollback_by_command_needs_no_file_of_the_version_before(tmp_path: Path) -> None:
    root = versions.registry(tmp_path, "1", "2")
    rig = Swapping(tmp_path, root)
    async with rig.running():
        store.promote(root, "tiny@2")
        await until(lambda: rig.model == "tiny@2")
        first = rig.daemon._worker
        assert first is not None
        store.rollback(root, "tiny")
        await until(lambda: rig.model == "tiny@1")
        assert rig.metric("riskstream_model_swap_seconds_bucket", le="0.1") >= 1
        store.promote(root, "tiny@2")
        await until(lambda: rig.model == "tiny@2")
    assert rig.refusals() == {}


async def test_an_alias_that_means_nothing_is_told_once_and_a_store_that_does_not_answer_every_time(
    tmp_path: Path,
) -> None:
    root = versions.registry(tmp_path, "1", "2")
    rig = Swapping(tmp_path, root)
    async with rig.running():
        champion = root / "tiny" / "champion"
        champion.write_text("9\n")
        await until(lambda: rig.refusals().get("missing"))
        champion.unlink()
        await until(lambda: rig.refusals().get("missing") == 2)
        champion.mkdir()  # a read of it fails, as that of a volume that is gone
        await until(lambda: rig.refusals().get("registry", 0) >= 2)
        assert rig.daemon.health.ready()[0]
        champion.rmdir()
        champion.write_text("2\n")
        await until(lambda: rig.model == "tiny@2")
    assert rig.refusals()["missing"] == 2


async def test_a_version_behind_a_url_is_fetched_and_taken_over(tmp_path: Path) -> None:
    root = versions.registry(tmp_path, "1", "2")
    url = f"memory://{fresh('models')}"
    for version in ("1", "2"):
        store.publish(url, root / "tiny" / version, "tiny", version)
    store.promote(store.opened(url, tmp_path / "other"), "tiny@1")
    rig = Swapping(tmp_path, url)
    async with rig.running():
        assert rig.model == "tiny@1"
        store.promote(store.opened(url, tmp_path / "other"), "tiny@2")
        await until(lambda: rig.model == "tiny@2")
        fs = fsspec.filesystem("memory")
        fs.rm(f"/{url.removeprefix('memory://')}/tiny/champion")
        await until(lambda: rig.refusals() == {"missing": 1})
    assert len(list((tmp_path / "cache").iterdir())) == 2


async def test_http_scores_with_the_new_version_too(tmp_path: Path) -> None:
    root = versions.registry(tmp_path, "1", "2")
    rig = Swapping(tmp_path, root)
    async with rig.running(), aiohttp.ClientSession() as client:
        assert rig.daemon.http is not None
        url = f"http://127.0.0.1:{rig.daemon.http.port}/v1/score"

        async def model() -> str:
            async with client.post(url, json={"text": "Acme falls", "entity": "Acme"}) as answer:
                return str((await answer.json())["model"])

        assert await model() == "tiny@1"
        store.promote(root, "tiny@2")
        await until(lambda: rig.model == "tiny@2")
        assert await model() == "tiny@2"


@pytest.mark.parametrize("models", [{"poll_s": 0}, {"name": "tiny@1"}], ids=["poll_s = 0", "a version"])
async def test_what_is_not_followed_stays(tmp_path: Path, models: dict[str, object]) -> None:
    root = versions.registry(tmp_path, "1", "2")
    assert load_first(Swapping(tmp_path, root, **models).settings.models).pin is None


async def test_at_the_start_a_version_without_golden_pairs_is_taken_unchecked_and_a_failing_one_is_not(
    tmp_path: Path,
) -> None:
    versions.without_golden(tmp_path / "models", "1")
    versions.other_scores(tmp_path / "models", "2")
    found = load_first(Models(root=str(tmp_path / "models"), name="tiny@1"))
    assert (found.scorer.name, found.unchecked) == ("tiny@1", True)
    with pytest.raises(GoldenFailed):
        load_first(Models(root=str(tmp_path / "models"), name="tiny@2"))


class Gated(MemoryFileSystem):  # type: ignore[misc]
    """A store that answers at once while the gate is open, and not at all while it is closed."""

    protocol = "gated"
    gate = threading.Event()
    waiting = threading.Event()

    def cat_file(self, path: str, *args: object, **more: object) -> bytes:
        self.waiting.set()
        assert self.gate.wait(30)
        return bytes(super().cat_file(path, *args, **more))


@pytest.fixture
def gated(tmp_path: Path) -> Iterator[str]:
    """The URL of a store of tiny@1 (champion) and tiny@2 whose gate is open."""
    fsspec.register_implementation("gated", Gated, clobber=True)
    Gated.gate.set()
    root, url = versions.registry(tmp_path / "made", "1", "2"), f"gated://{fresh('models')}"
    for version in ("1", "2"):
        store.publish(url, root / "tiny" / version, "tiny", version)
    store.set_alias(url, "tiny", store.CHAMPION, "1")
    yield url
    Gated.gate.set()


async def test_scoring_goes_on_while_a_store_does_not_answer_and_no_second_look_is_begun(
    tmp_path: Path, gated: str
) -> None:
    rig = Swapping(tmp_path, gated)
    async with rig.running(), rig.under_load():
        store.set_alias(gated, "tiny", store.CHAMPION, "2")
        Gated.gate.clear()
        Gated.waiting.clear()
        await until(Gated.waiting.is_set)
        await rig.scored(200)
        threads = [thread.name for thread in threading.enumerate()]
        assert (rig.model, threads.count("riskstream-swap")) == ("tiny@1", 1)
        Gated.gate.set()
        await until(lambda: rig.model == "tiny@2")
    assert len(await rig.signals()) == rig.sent


async def test_a_look_that_hangs_is_told_by_the_next(tmp_path: Path, gated: str) -> None:
    rig = Swapping(tmp_path, gated)
    running = Loaded(ConstantScorer(), store.Pin("tiny", "2", ""))
    rules, section = files.load_rules(tmp_path / "rules.toml"), rig.settings.models
    follower = Follower(section, running, rules, lambda scorer: None, telemetry=rig.telemetry)
    store.set_alias(gated, "tiny", store.CHAMPION, "2")
    Gated.gate.clear()
    first = asyncio.create_task(follower.look())
    Gated.waiting.clear()
    await until(Gated.waiting.is_set)
    await follower.look()
    assert rig.refusals() == {"registry": 1}
    Gated.gate.set()
    await first
    await follower.look()
    assert rig.refusals() == {"registry": 1}


async def test_a_daemon_stops_while_a_look_hangs(tmp_path: Path, gated: str) -> None:
    async with Swapping(tmp_path, gated).running():
        Gated.gate.clear()
        Gated.waiting.clear()
        await until(Gated.waiting.is_set)
