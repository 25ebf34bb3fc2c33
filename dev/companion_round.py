"""One round of the companion beside a running daemon, measured: what it learns, forgets, loses and delays.

    python dev/companion_round.py [--models models] [--name finrisk] [--per-second 2] > round.json

    Kafka ─► daemon ◄─ documents, steadily ───────────────────────────────────────────► every signal, with its delay
                       │ before │ 300 labels in, `riskstream trainer --once` │ after │
    held back texts and old tests are asked of both versions, before the stream begins and after it has ended

Everything is in a folder of its own: a copy of the champion, topics of this run. It takes as long as `minutes_max` of
config/train/refresh.toml allows, and some minutes more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 (the root comes first)

from dev.kafka.serve import KafkaServer  # noqa: E402
from dev.rationing import rows  # noqa: E402
from riskstream.core.asking.labels import Given, Question  # noqa: E402
from riskstream.core.clock import format_ms  # noqa: E402
from riskstream.core.records import Output, Position  # noqa: E402
from riskstream.core.watching import codec  # noqa: E402
from riskstream.kafka.client import KafkaBroker  # noqa: E402
from riskstream.kafka.config import KafkaConfig  # noqa: E402
from riskstream.registry.store import resolve, set_alias  # noqa: E402
from riskstream.scoring.torch_backend import TorchScorer  # noqa: E402
from riskstream.trainer.config import load_config  # noqa: E402
from riskstream.trainer.data.examples import Example, load_examples, of  # noqa: E402
from riskstream.trainer.measuring.evaluate import measure_slice  # noqa: E402
from riskstream.trainer.measuring.forward import run  # noqa: E402
from riskstream.trainer.versions.refresh import examples_of  # noqa: E402

REFRESH = ROOT / "config" / "train" / "refresh.toml"
FIGURES = (("severity", "kappa"), ("risk_score", "auc"), ("sentiment", "accuracy"), ("risk", "micro_f1"))
PHASE_S, SWAP_S_MAX, DRAIN_S_MAX = 30.0, 60.0, 60.0
SETTINGS = """
app = "round"
[kafka]
bootstrap_servers = "{servers}"
[topics]
partitions = 2
replication = 1
[[feed]]
name = "wire"
topic = "wire"
start = "earliest"
partitions = 2
[models]
root = "{models}"
name = "{name}@champion"
[watch]
watchlist = "{folder}/watchlist.csv"
[http]
port = 0
"""


def figures(directory: Path, asked: list[Example], old: list[Example]) -> dict[str, Any]:
    """What a version makes of the new kind of event and of the old tests."""
    scorer = TorchScorer.load(directory)
    found = measure_slice(run(scorer, asked), asked, scorer.manifest)
    tests = measure_slice(run(scorer, old), old, scorer.manifest)
    new = {"n": len(asked), **{f"{h}.{f}": found[h][f] for h, f in (*FIGURES[:3], ("risk_score", "recall"))}}
    return {"new kind": new, "old tests": {"n": len(old), **{f"{h}.{f}": tests[h][f] for h, f in FIGURES}}}


def asked_examples(scorer_labels: Any) -> list[Example]:
    """The held back texts of the new kind."""
    nowhere = Position("none", 0, 0)
    questions = [
        Question(nowhere, "", row["entity"], row["text"], row["lang"], "asked", _given(row["labels"]), new=True)
        for row in rows("asked")
    ]
    return examples_of(questions, scorer_labels, 1.0)


def _given(labels: dict[str, Any]) -> Given:
    return Given(labels["sentiment"], labels["severity"], tuple(labels["risk"]))


class Stream:
    """Documents in at a steady pace, signals out, and what each took."""

    def __init__(self, broker: KafkaBroker, per_second: float) -> None:
        self._broker, self._pause_s = broker, 1 / per_second
        self.sent: dict[str, float] = {}
        self.phase_of: dict[str, str] = {}
        self.seen: dict[str, list[float]] = {}
        self.models: dict[str, float] = {}
        self.phase = "warm up"

    async def send(self, stop: asyncio.Event) -> None:
        """One document about one watched firm at each beat; a late beat is not made up for."""
        publisher = await self._broker.publisher()
        texts = [row["text"].replace(row["entity"], "Tidewell") for row in rows("taught") if row["lang"] == "en"]
        number = 0
        while not stop.is_set():
            name, now = f"doc-{number}", time.time()
            document = {"id": name, "text": f"{texts[number % len(texts)]} (item {number})", "source": "s"}
            document["published_at"] = format_ms(int(now * 1000))
            self.sent[name], self.phase_of[name] = now, self.phase
            await publisher.send([Output("wire", name.encode(), json.dumps(document).encode())])
            number += 1
            await asyncio.sleep(max(0.0, self._pause_s - (time.time() - now)))
        await publisher.close()

    async def read(self) -> None:
        """Every committed signal, for as long as it runs."""
        async for message in self._broker.reader("riskstream.signals").follow():
            one = codec.decode_signal(message.value or b"")
            self.seen.setdefault(one.document_id, []).append(time.time())
            self.models.setdefault(one.model, time.time())

    def report(self) -> dict[str, Any]:
        """Lost, doubled, and the delays of each phase in seconds."""
        delays: dict[str, list[float]] = {}
        for name, times in self.seen.items():
            delays.setdefault(self.phase_of[name], []).append(times[0] - self.sent[name])
        return {
            "documents": len(self.sent),
            "lost": len(self.sent.keys() - self.seen.keys()),
            "twice": sum(len(times) > 1 for times in self.seen.values()),
            "models": list(self.models),
            "seconds": {
                phase: {"n": len(d), "p50": round(float(np.median(d)), 3), "max": round(max(d), 3)}
                for phase, d in delays.items()
            },
        }


async def riskstream(*arguments: str, nice: int = 0, capture: bool = False) -> asyncio.subprocess.Process:
    """A process of the command line, its talk on our stderr."""
    return await asyncio.create_subprocess_exec(
        *("nice", "-n", str(nice), sys.executable, "-m", "riskstream", *arguments),
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("RISKSTREAM_")}, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE if capture else sys.stderr,
    )


async def play(broker: KafkaBroker, config: str, per_second: float, name: str) -> dict[str, Any]:
    """The stream and the round in it."""
    assert await (await riskstream("topics", "create", "--config", config)).wait() == 0
    daemon = await riskstream("run", "--stage", "score", "--config", config)
    stream, stop = Stream(broker, per_second), asyncio.Event()
    tasks = [asyncio.create_task(stream.send(stop)), asyncio.create_task(stream.read())]
    try:
        await _until(lambda: stream.seen, 120)
        stream.phase = "before"
        await asyncio.sleep(PHASE_S)
        publisher = await broker.publisher()
        await publisher.send([_label(number, row) for number, row in enumerate(rows("taught"))])
        await publisher.close()
        stream.phase = "during"
        trainer = await riskstream("trainer", "--once", "--config", config, nice=10, capture=True)
        out, _ = await trainer.communicate()
        if trainer.returncode:
            raise SystemExit(f"the trainer ended with {trainer.returncode}")
        told, promoted_s = json.loads(out), time.time()
        stream.phase = "after"
        swapped = told["promoted"] and await _until(lambda: told["candidate"] in stream.models, SWAP_S_MAX)
        await asyncio.sleep(PHASE_S)
        stop.set()
        await tasks[0]
        await _until(lambda: len(stream.seen) >= len(stream.sent), DRAIN_S_MAX)
    finally:
        tasks[1].cancel()
        if daemon.returncode is None:
            daemon.send_signal(signal.SIGTERM)
            await daemon.wait()
    taken = round(stream.models[told["candidate"]] - promoted_s, 1) if swapped else None
    return {"round": told, "stream": stream.report(), "daemon took it over after_s": taken, "model": name}


def _label(number: int, row: dict[str, Any]) -> Output:
    """A label as a tool of the desk sends it."""
    label = {"signal_id": f"desk/0/{number}#X", "document_id": f"l{number}", "source": "desk", "annotator": "ann"}
    label |= {"at": format_ms(int(time.time() * 1000)), "why": "random", "sampling_rate": 0.01, "schema": 1} | row
    return Output("riskstream.labels", label["signal_id"].encode(), json.dumps(label).encode())


async def _until(fact: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def main() -> None:
    """The command line."""
    about = argparse.ArgumentParser(description="One round of the companion beside a running daemon; JSON on stdout.")
    about.add_argument("--models", type=Path, default=ROOT / "models", help="the registry with the champion")
    about.add_argument("--name", default="finrisk", help="the model's name in it")
    about.add_argument("--per-second", type=float, default=2.0, help="documents a second (2)")
    given = about.parse_args()
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        champion = resolve(given.models, f"{given.name}@champion")
        shutil.copytree(champion, folder / "models" / given.name / champion.name)
        set_alias(folder / "models", given.name, "champion", champion.name)
        (folder / "watchlist.csv").write_text("id,name,aliases,groups\nTIDE,Tidewell,,\n")
        labels = TorchScorer.load(champion).labels
        asked = asked_examples(labels)
        old = of(load_examples(load_config(REFRESH).data, labels), split="test")
        before = figures(champion, asked, old)
        print(json.dumps(before), file=sys.stderr, flush=True)
        server = KafkaServer(folder / "kafka")
        server.start()
        config = folder / "riskstream.toml"
        config.write_text(
            SETTINGS.format(servers=server.bootstrap_servers, models=folder / "models", name=given.name, folder=folder)
        )

        async def work() -> dict[str, Any]:
            broker = KafkaBroker(KafkaConfig(bootstrap_servers=server.bootstrap_servers))
            try:
                return await play(broker, str(config), given.per_second, given.name)
            finally:
                await broker.close()

        try:
            played = asyncio.run(work())
        finally:
            server.stop()
        after = figures(resolve(folder / "models", f"{given.name}@candidate"), asked, old)
    moved = {k: round(100 * (after["old tests"][k] - v), 2) for k, v in before["old tests"].items() if k != "n"}
    print(json.dumps({"before": before, "after": after, "old tests moved by points": moved, **played}))


if __name__ == "__main__":
    main()
