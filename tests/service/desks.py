"""A desk that labels: a registry with a model of a few KB, old rows, and what people say about new texts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from riskstream.registry.store import set_alias
from riskstream.sections import Models
from riskstream.sections.kafka import Topics
from riskstream.sections.learning import Trainer
from riskstream.settings import Settings
from tests.trainer.bases import ROOT, write_config, write_rows

KINDS = {
    "hums along": {"severity": 0, "risk": [], "sentiment": "neutral"},
    "ZZZZ ZZZZ ZZZZ ZZZZ": {"severity": 3, "risk": ["cyber"], "sentiment": "negative"},
}
"""A new kind of event, which a child could tell: what is said, and how it is labelled."""


def label(number: int, said: str, labels: Mapping[str, Any], **more: object) -> dict[str, Any]:
    """A label as a tool of the desk would send it."""
    text = f"Brightwater {said} {number}"
    plain = {"signal_id": f"wire/0/{number}#BRW", "document_id": f"d{number}", "entity": "Brightwater", "lang": "en"}
    sent = {"source": "wire", "annotator": "ann", "at": "2026-03-09T12:00:00.000Z", "why": "random"}
    return {**plain, **sent, "text": text, "labels": labels, "sampling_rate": 0.01, "schema": 1, **more}


def sound(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Labels from which the new kind can be learnt."""
    kinds = list(KINDS.items())
    return [label(n, *kinds[n % len(kinds)]) for n in range(first, first + count)]


def senseless(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Labels that have nothing to do with their texts, and call old harmless events severe."""
    said = list(KINDS)
    answers = list(KINDS.values())
    return [label(n, said[n % 2], answers[n // 2 % 2]) for n in range(first, first + count)]


class Desk:
    """Settings for rounds over a registry in `folder` whose champion is tiny@1."""

    def __init__(self, folder: Path, *, topics: Topics | None = None, **trainer: Any) -> None:
        self.folder, self.models = folder, folder / "models"
        shutil.copytree(ROOT / "models" / "tiny" / "1", self.models / "tiny" / "1")
        set_alias(self.models, "tiny", "champion", "1")
        write_rows(folder / "data")
        lora = {"rank": 8, "alpha": 16}
        fit = {"epochs": 4.0, "batch_tokens": 2048, "head_learning_rate": 0.02, "evaluations": 0, "average_decay": 0.0}
        self.config = write_config(folder, lora=lora, fit=fit, augment={"join": 0.0})
        self.settings = Settings(
            topics=topics or Topics(),
            models=Models(root=str(self.models), name="tiny@champion"),
            trainer=Trainer(**{"config": self.config, "labels_min": 20, "golden_rows_max": 50, **trainer}),
        )

    def alias(self, name: str) -> str:
        """The version that an alias points to; empty where there is none."""
        path = self.models / "tiny" / name
        return path.read_text().strip() if path.is_file() else ""

    def versions(self) -> list[str]:
        """The versions in the registry."""
        return sorted(path.parent.name for path in (self.models / "tiny").glob("*/manifest.json"))


def records(labels: Sequence[Mapping[str, Any]]) -> list[tuple[bytes, bytes]]:
    """Keys and values of labels."""
    return [(one["signal_id"].encode(), json.dumps(one).encode()) for one in labels]
