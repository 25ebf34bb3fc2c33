"""A candidate from the champion: new labels and replayed old rows, learnt by low-rank adapters and whole heads.

    champion ──► base/, start.safetensors ──► fit (LoRA) ──► merged weights ──► <out>/version/
    questions ──examples_of()──► train | held         old files ──► replay (train) | golden (valid)

Rule 1. The champion's labels, thresholds, temperatures and token limit stay: rules and readers are tuned to them, and
        the gate sees what a reader would see. The gate refuses where they no longer fit.
Rule 2. A text that an old file keeps for measuring is never learnt from, whoever labelled it.
Rule 3. Which rows are golden depends on the rows alone, so it is the same in each round.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from riskstream.core.asking.labels import Question, in_held
from riskstream.core.records import Labels
from riskstream.scoring.manifest import CONFIG, TOKENIZER, WEIGHTS, Manifest, read_manifest, verify
from riskstream.scoring.weights import unpack
from riskstream.trainer.config import TrainConfig
from riskstream.trainer.data.examples import Example, of
from riskstream.trainer.fitting.fit import fit, load_net
from riskstream.trainer.versions.publish import write_version

ENCODER = "encoder."
PART = "labels"


class Mix(msgspec.Struct, frozen=True):
    """What a round learns from, and what it is judged by."""

    train: tuple[Example, ...]
    held: tuple[Example, ...]
    golden: tuple[Example, ...]
    new_rows: int
    replayed: int
    left_out: int


def examples_of(questions: Sequence[Question], labels: Labels, repeat: float) -> list[Example]:
    """The labelled pairs as rows; the split is `held` for one text in five, which only the new ones are asked about."""
    kin: dict[str, set[str]] = {}
    for question in questions:
        kin.setdefault(question.text, set()).add(question.entity)
    return [
        Example(
            text=q.text,
            entity=q.entity,
            lang=q.lang,
            source=q.source,
            kind="",
            split="held" if in_held(q.text) else "train",
            parts=(PART,),
            repeat=repeat,
            kin=len(kin[q.text]),
            sentiment=None if q.labels.sentiment is None else labels.sentiment.index(q.labels.sentiment),
            severity=q.labels.severity,
            risk=None if q.labels.risk is None else tuple(labels.risk.index(name) for name in q.labels.risk),
            topic=None if q.labels.topic is None else labels.topic.index(q.labels.topic),
        )
        for q in questions
    ]


def mix(
    questions: Sequence[Question], old: Sequence[Example], labels: Labels, *,
    repeat: float, replay_rows_max: int, golden_rows_max: int, seed: int,
) -> Mix:  # fmt: skip
    """Put new labels and old rows together."""
    rows = examples_of(questions, labels, repeat)
    measured = {example.text for example in old if example.split != "train"}
    fresh = {question.text for question in questions if question.new}
    train = [row for row in rows if row.split == "train" and row.text not in measured]
    held = [row for row in rows if row.split == "held" and row.text in fresh]
    texts = {row.text for row in rows}
    replayable = [example for example in of(old, split="train") if example.text not in texts]
    chosen = random.Random(seed).sample(replayable, min(replay_rows_max, len(replayable)))  # noqa: S311 (no secret)
    replay = [msgspec.structs.replace(example, repeat=1.0) for example in chosen]
    return Mix(
        train=(*train, *replay),
        held=tuple(held),
        golden=tuple(sorted(of(old, split="valid"), key=_place)[:golden_rows_max]),
        new_rows=len(train),
        replayed=len(replay),
        left_out=sum(row.split == "train" and row.text in measured for row in rows),
    )


def _place(example: Example) -> bytes:
    return hashlib.blake2b(f"{example.text}\0{example.entity}".encode()).digest()


def refresh(
    champion: Path,
    examples_train: Sequence[Example],
    examples_valid: Sequence[Example],
    config: TrainConfig,
    out: Path,
    version: str,
) -> Path:
    """Fit from the champion; returns a version directory under `out`, whole, not yet published.

    Takes what `fit.minutes_max` allows. Raises OperatorError for a damaged champion.
    """
    manifest = read_manifest(champion)
    verify(champion, manifest)
    shutil.rmtree(out, ignore_errors=True)
    base, start = write_base(champion, out)
    model = msgspec.structs.replace(
        config.model,
        base=str(base),
        name=manifest.name,
        version=version,
        pooling=manifest.pooling,
        tokens_max=manifest.tokens_max,
        keep_layers=(),
        vocabulary_min=0,
    )
    settings = msgspec.structs.replace(config.fit, start=str(start))
    told = msgspec.structs.replace(config, model=model, fit=settings)
    fit(told, manifest.labels, examples_train, examples_valid, out / "fit")
    directory = out / "version"
    write_version(
        directory,
        state=load_net(out / "fit"),
        shape=AutoConfig.from_pretrained(champion).to_dict(),
        tokenizer=champion / TOKENIZER,
        manifest=child_of(manifest, version),
        card=card(manifest, version, config, examples_train),
    )
    return directory


def write_base(champion: Path, out: Path) -> tuple[Path, Path]:
    """The champion laid out as a base, and its whole network to start from, both in float32."""
    base, start = out / "base", out / "start.safetensors"
    base.mkdir(parents=True)
    state = unpack(load_file(champion / WEIGHTS))
    save_file(state, start)
    encoder = {name.removeprefix(ENCODER): t for name, t in state.items() if name.startswith(ENCODER)}
    save_file(encoder, base / "model.safetensors")
    for name in (CONFIG, TOKENIZER):
        shutil.copyfile(champion / name, base / name)
    return base, start


def child_of(manifest: Manifest, version: str) -> Manifest:
    """The champion's manifest under a new version; its figures were the champion's own."""
    parent = f"{manifest.name}@{manifest.version}"
    return msgspec.structs.replace(manifest, version=version, parent=parent, files={}, metrics={})


def card(manifest: Manifest, version: str, config: TrainConfig, train: Sequence[Example]) -> str:
    """What a person should know of a refreshed version."""
    new = sum(PART in example.parts for example in train)
    return f"""# {manifest.name}@{version}

Refreshed from `{manifest.name}@{manifest.version}` by `riskstream trainer`: {new} labelled pairs that came back from
readers and {len(train) - new} replayed rows of the old training files, learnt with low-rank adapters of rank
{config.lora.rank} beside the encoder's linear layers, merged afterwards, and with whole heads. Labels, thresholds,
temperatures and limits are the parent's. What the gate saw and said is in `manifest.json`, under `metrics`.

The labels are the judgement of the people who sent them; where they differed, the label was left out. For the data
before, its licences and the limits of the model, see the card of the version that this line of parents begins with.
"""
