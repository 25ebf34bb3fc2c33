"""The texts of the scoring bench: real ones of mixed length and language where shared/data is, else the packaged feed.

Only rows of the `test` split: the F1 of each peer is then one that no training has seen.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
SHARES = {
    "sentiment/*.jsonl": 0.25,
    "risk/annotated.jsonl": 0.25,
    "risk/test.*.jsonl": 0.2,
    "risk/passages.jsonl": 0.15,
    "feeds/three-days.jsonl": 0.15,
}
"""Headlines and tweets, written test rows in two languages, passages of reports, whole news items."""


class Text(NamedTuple):
    """A question to the model, and what people answered; empty where nobody did."""

    entity: str
    text: str
    labels: dict[str, Any]


def texts(count: int, data: Path = DATA, seed: int = 7) -> tuple[str, list[Text]]:
    """Where they are from, and `count` of them in random order."""
    draw = random.Random(seed)
    if not data.is_dir():
        feed = resources.files("riskstream.packaged").joinpath("three-days.jsonl").read_text(encoding="utf-8")
        rows = [_text(json.loads(line)) for line in feed.splitlines()]
        return "packaged feed", [draw.choice(rows) for _ in range(count)]
    chosen: list[Text] = []
    for pattern, share in SHARES.items():
        rows = list(_rows(data, pattern))
        chosen += draw.sample(rows, min(len(rows), round(count * share)))
    draw.shuffle(chosen)
    return "shared/data", chosen


def _rows(data: Path, pattern: str) -> Iterator[Text]:
    for path in sorted(data.glob(pattern)):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row.get("split", "test") == "test":
                yield _text(row)


def _text(row: dict[str, Any]) -> Text:
    title, text = row.get("title", ""), row["text"]
    whole = text if not title or text.startswith(title) else f"{title}\n{text}"
    return Text(row.get("entity", ""), whole, row.get("labels", {}))
