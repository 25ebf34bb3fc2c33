"""`riskstream trainer --once`: one round of learning from the labels that people sent back.

    labels ──► enough new ones? ──► refresh the champion ──► ask both versions ──► gate
                                                                                    │
      <name>/<next>/  published, with what the gate saw and the offsets it read up to ◄┘
      candidate ──► that version        champion ──► that version, where the gate lets it through

Rule 1. A round is remembered by the version that it published: killed before that, it is done again from the start;
        killed after it, the next run finds nothing new and says what the last one decided.
Rule 2. Only the gate moves `champion`, and only while it is the version that the round began with.
Rule 3. The broker is let go before the fitting begins: nothing of ours is held open for an hour.

An honest doubt: two rounds at once would both publish. A CronJob with `concurrencyPolicy: Forbid` keeps them apart.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import msgspec

from riskstream.core.errors import OperatorError
from riskstream.core.ports import Broker
from riskstream.kafka.client import KafkaBroker
from riskstream.registry.port import Store
from riskstream.registry.store import CANDIDATE, CHAMPION, opened, read_alias, resolve, set_alias
from riskstream.scoring.manifest import Manifest, parse_manifest, read_manifest, write_manifest
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.service import parts
from riskstream.service.commands.collecting import Collected, collect
from riskstream.settings import Settings
from riskstream.trainer.config import TrainConfig, load_config
from riskstream.trainer.data.examples import Example, load_examples
from riskstream.trainer.measuring.forward import run
from riskstream.trainer.measuring.gate import Answers, Decision, Limits, answers, decide
from riskstream.trainer.versions.refresh import Mix, mix, refresh

ROUND = "round"
"""Where a manifest's metrics keep what a round read and decided."""

Report = dict[str, Any]


async def run_once(settings: Settings, broker: Broker | None = None) -> Report:
    """Do one round and report it. Raises OperatorError for what the operator can mend: then nothing has changed."""
    name = name_of(settings)
    champion = resolve(store_of(settings), f"{name}@{CHAMPION}")
    manifest = read_manifest(champion)
    config = load_config(settings.trainer.config)
    last = last_round(settings, name)
    connected = broker or KafkaBroker(parts.kafka_config(settings.kafka, settings.app))
    try:
        found = await collect(
            connected,
            settings.topics,
            manifest.labels,
            since=since_of(last, settings.topics.labels),
            labels_max=settings.trainer.labels_max,
        )
    finally:
        if broker is None:
            await connected.close()
    report = {"champion": f"{name}@{manifest.version}", "promoted": False, "labels": counts(found)}
    if last is not None:
        report["last"] = {"version": last.version, **{k: last.metrics[ROUND][k] for k in ("promoted", "reasons")}}
    if found.new < settings.trainer.labels_min:
        state = "waiting" if found.new else "nothing new"
        reason = f"{found.new} new labels, {settings.trainer.labels_min} needed (trainer.labels_min)"
        return {"round": state, **report, "reasons": [reason]}
    return {"round": "done", **report, **Round(settings, config, champion, manifest, found).carry_out()}


def name_of(settings: Settings) -> str:
    """The model's name in the registry. Raises OperatorError where the settings name a directory."""
    name = settings.models.name.partition("@")[0]
    if "/" in name or (Path(name) / "manifest.json").is_file():
        fix = "write its name in the registry, such as finrisk@champion"
        raise OperatorError("models.name", settings.models.name, "is a directory, and a round needs aliases", fix)
    return name


def store_of(settings: Settings) -> Store:
    """The registry that the settings name."""
    return opened(settings.models.root, settings.models.cache)


def last_round(settings: Settings, name: str) -> Manifest | None:
    """The manifest of the newest version that a round published."""
    store = store_of(settings)
    mine = [parse_manifest(store.manifest(name, version), f"{name}@{version}") for version in store.versions(name)]
    return max((m for m in mine if ROUND in m.metrics), key=lambda m: _number(m.version), default=None)


def since_of(last: Manifest | None, topic: str) -> dict[int, int]:
    """The first offset of each partition that the last round did not read; empty for another topic."""
    if last is None or last.metrics[ROUND]["topic"] != topic:
        return {}
    return {int(partition): offset for partition, offset in last.metrics[ROUND]["ends"].items()}


def counts(found: Collected) -> Report:
    """What the topic held, for the report."""
    told = {"records": found.records, "usable": len(found.questions), "new": found.new, "refused": found.refused}
    return {**told, "disputed": found.disputed, "withdrawn": found.withdrawn, "passed_over": found.passed_over}


def _number(version: str) -> int:
    return int(version) if version.isascii() and version.isdigit() else 0


class Round:
    """A round with its labels in hand: no broker, one thread, minutes to an hour."""

    def __init__(
        self, settings: Settings, config: TrainConfig, champion: Path, manifest: Manifest, found: Collected
    ) -> None:
        self._settings, self._config, self._found = settings, config, found
        self._champion, self._manifest = champion, manifest

    def carry_out(self) -> Report:
        """Refresh, ask, decide, publish, point."""
        started, name, limits = time.monotonic(), self._manifest.name, self._settings.trainer
        rows = self._mix()
        if not rows.golden:
            fix = "list files there that have rows of split `valid`"
            raise OperatorError("trainer.config", str(limits.config), "names no golden rows", fix)
        if not rows.new_rows or not rows.held:
            told = f"of the new labels {rows.new_rows} are to learn and {len(rows.held)} held back; both are needed"
            return {"round": "waiting", "reasons": [told]}
        version = self._next_version()
        work = Path(self._config.cache) / f"refresh-{name}-{version}"
        made = refresh(self._champion, rows.train, rows.golden, self._config, work, version)
        decision = self._judge(made, rows, Limits(limits.worse_max, limits.calibration_worse_max))
        figures = self._told(decision, rows, time.monotonic() - started)
        write_manifest(made, msgspec.structs.replace(read_manifest(made), metrics={ROUND: figures}))
        promoted = self._publish(made, version, decision)
        shutil.rmtree(work)
        return {"candidate": f"{name}@{version}", **figures, "promoted": promoted}

    def _mix(self) -> Mix:
        limits = self._settings.trainer
        old = load_examples(self._config.data, self._manifest.labels)
        return mix(
            self._found.questions,
            old,
            self._manifest.labels,
            repeat=limits.labels_repeat,
            replay_rows_max=limits.replay_rows_max,
            golden_rows_max=limits.golden_rows_max,
            seed=self._config.fit.seed,
        )

    def _next_version(self) -> str:
        name = self._manifest.name
        there = [_number(version) for version in store_of(self._settings).versions(name)]
        return str(max(there, default=0) + 1)

    def _judge(self, made: Path, rows: Mix, limits: Limits) -> Decision:
        """Ask both versions, as published, through the path that the daemon uses."""
        asked: list[tuple[Answers, Answers]] = []
        for directory in (self._champion, made):
            scorer = TorchScorer.load(directory, threads=self._config.fit.threads)
            asked.append((_ask(scorer, rows.golden), _ask(scorer, rows.held)))
        (golden, held), (golden_after, held_after) = asked
        return decide((golden, golden_after), (held, held_after), limits)

    def _told(self, decision: Decision, rows: Mix, seconds: float) -> Report:
        """What the manifest and the report keep of the round."""
        return {
            **msgspec.json.decode(msgspec.json.encode(decision)),
            "rows": {
                "new": rows.new_rows, "replayed": rows.replayed, "held": len(rows.held), "golden": len(rows.golden),
                "left_out": rows.left_out,
            },
            "topic": self._settings.topics.labels,
            "ends": {str(partition): end for partition, end in sorted(self._found.ends.items())},
            "seconds": round(seconds, 1),
        }  # fmt: skip

    def _publish(self, made: Path, version: str, decision: Decision) -> bool:
        """Put the version into the registry and point the aliases; whether it is the champion now."""
        store, name = store_of(self._settings), self._manifest.name
        store.publish(made, name, version)
        set_alias(store, name, CANDIDATE, version)
        if not decision.promoted or read_alias(store, name, CHAMPION) != self._manifest.version:
            return False
        set_alias(store, name, CHAMPION, version)
        return True


def _ask(scorer: TorchScorer, examples: tuple[Example, ...]) -> Answers:
    return answers(run(scorer, examples), examples, scorer.manifest)
