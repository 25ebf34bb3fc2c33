"""The files of a run: run.json, inputs.jsonl, outputs.jsonl, faults.jsonl, members.jsonl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec


class Run(msgspec.Struct, frozen=True):
    """What a run was given: `run.json`."""

    seed: int
    documents: int
    signals: str
    alerts: str
    dead_letters: str
    limits: tuple[int, int, int]


class Record(msgspec.Struct, frozen=True):
    """A record as a reader of committed records saw it; `seen_ms` is when. A line of inputs.jsonl or outputs.jsonl."""

    topic: str
    partition: int
    offset: int
    key: str
    value: str
    headers: dict[str, str]
    seen_ms: int = 0
    id: str = ""


def read(path: Path) -> list[Record]:
    """The records of inputs.jsonl or outputs.jsonl."""
    decoder = msgspec.json.Decoder(Record)
    with path.open("rb") as file:
        return [decoder.decode(line) for line in file]


def lines(path: Path) -> list[dict[str, Any]]:
    """A file of JSON lines that a person may read too."""
    return [json.loads(line) for line in path.read_text().splitlines()]
