"""Public labelled sets, from their published files to our rows.

    hub or folder ──► published rows (CSV) ──► recipe.convert: pure ──► our rows ──► <out>/<name>.jsonl

Rule 1. The published evaluation split becomes `test`, whole; `valid` is taken from the training rows, by hash.
Rule 2. A published row that does not fit is refused with its file and line, never guessed.

The recipes know each set by what its authors publish. The permission of a set covers its labels and compilation; its
texts are their publishers': train on them, and pass none on.
"""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from riskstream.core.errors import OperatorError
from riskstream.trainer.config import SplitShares
from riskstream.trainer.data.copies import plain
from riskstream.trainer.data.splits import by_hash

VALID = SplitShares(valid=0.1, test=0.0)
THREE_WAYS = SplitShares(valid=0.1, test=0.1)
TIMEOUT_S = 20.0
SENTIMENTS = ("negative", "positive", "neutral")
TOPICS = (
    "Analyst Update", "Fed | Central Banks", "Company | Product News", "Treasuries | Corporate Debt", "Dividend",
    "Earnings", "Energy | Oil", "Financials", "Currencies", "General News | Opinion", "Gold | Metals | Materials",
    "IPO", "Legal | Regulation", "M&A | Investments", "Macro", "Markets", "Politics", "Personnel Change",
    "Stock Commentary", "Stock Movement",
)  # fmt: skip
"""In the order of the published numbers."""

Published = dict[str, str]
Converted = dict[str, object]


class Recipe(msgspec.Struct, frozen=True):
    """One set: where it is published, which files hold which split ("": split by hash), and how a row becomes ours.

    `hub` is empty where the authors publish it outside the hub: then its files are read from a folder.
    """

    hub: str
    files: dict[str, str]
    columns: tuple[str, ...]
    convert: Callable[[Published, int], Iterator[Converted]]
    source: str
    licence: str


def of_tweet(head: str, names: tuple[str, ...]) -> Callable[[Published, int], Iterator[Converted]]:
    """A converter for `text,label`, where the label is the place of its name. Raises ValueError for another."""

    def convert(row: Published, number: int) -> Iterator[Converted]:
        label = int(row["label"])
        if not 0 <= label < len(names):
            raise ValueError(f"label {label} is not in 0..{len(names) - 1}")
        yield {"text": row["text"], "entity": "", "labels": {head: names[label]}}

    return convert


def of_decisions(row: Published, number: int) -> Iterator[Converted]:
    """One row an entity of a headline; `Decisions` maps each to its sentiment. Raises ValueError for anything else."""
    try:
        decisions = ast.literal_eval(row["Decisions"])
    except (SyntaxError, ValueError) as error:
        raise ValueError("`Decisions` is not a map of entities to sentiments") from error
    if not isinstance(decisions, dict) or not set(decisions.values()) <= set(SENTIMENTS):
        raise ValueError(f"`Decisions` is not a map of entities to {', '.join(SENTIMENTS)}")
    for entity, sentiment in decisions.items():
        yield {"text": row["Title"], "entity": str(entity), "labels": {"sentiment": sentiment}}


RECIPES: dict[str, Recipe] = {
    "tfns": Recipe(
        hub="zeroshot/twitter-financial-news-sentiment",
        files={"sent_train.csv": "train", "sent_valid.csv": "test"},
        columns=("text", "label"),
        convert=of_tweet("sentiment", SENTIMENTS),
        source="Twitter Financial News Sentiment (zeroshot)",
        licence="MIT",
    ),
    "tfnt": Recipe(
        hub="zeroshot/twitter-financial-news-topic",
        files={"topic_train.csv": "train", "topic_valid.csv": "test"},
        columns=("text", "label"),
        convert=of_tweet("topic", TOPICS),
        source="Twitter Financial News Topic (zeroshot)",
        licence="MIT",
    ),
    "sentfin": Recipe(
        hub="",
        files={"SEntFiN-v1.1.csv": ""},
        columns=("Title", "Decisions"),
        convert=of_decisions,
        source="SEntFiN 1.0 (Sinha, Kedas, Kumar, Malo)",
        licence="MIT",
    ),
}


def fetch(name: str, out: Path, folder: Path | None = None) -> tuple[Path, int]:
    """Write `<out>/<name>.jsonl` and say how many rows it has; with a folder, from the published files in it.

    Raises OperatorError for an unknown name, a file that cannot be had, or a row that does not fit.
    """
    recipe = RECIPES.get(name)
    if recipe is None:
        raise OperatorError("data fetch", name, "no such set", f"one of {', '.join(RECIPES)}")
    rows = []
    for file, split in recipe.files.items():
        path = folder / file if folder else _downloaded(name, recipe, file)
        try:
            content = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise OperatorError(
                "data fetch --from", str(path), str(error), f"put {file} there, as published"
            ) from error
        rows += list(converted(name, recipe, file, split, content))
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{name}.jsonl"
    part = target.with_suffix(".part")
    part.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    part.replace(target)
    return target, len(rows)


def converted(name: str, recipe: Recipe, file: str, split: str, content: str) -> Iterator[Converted]:
    """The rows of one published file, as ours; texts without a letter are left out."""
    reader = csv.DictReader(io.StringIO(content, newline=""))
    missing = set(recipe.columns) - set(reader.fieldnames or ())
    if missing:
        raise OperatorError(
            f"data fetch {name}", file, f"has no column {', '.join(sorted(missing))}", "give the file as published"
        )
    for number, row in enumerate(reader):
        try:
            found = list(recipe.convert(row, number))
        except (ValueError, TypeError) as error:
            raise OperatorError(
                f"data fetch {name}", f"{file}:{reader.line_num}", str(error), "give the file as published"
            ) from error
        for place, ours in enumerate(found):
            text = str(ours["text"])
            if not text.strip():
                continue
            shares = THREE_WAYS if not split else VALID
            yield {
                "id": f"{name}-{split or 'all'}-{number}" + (f"-{place}" if len(found) > 1 else ""),
                "text": text,
                "entity": ours["entity"],
                "lang": "en",
                "source": name,
                "split": split if split == "test" else by_hash(plain(text), shares),
                "labels": ours["labels"],
            }


def _downloaded(name: str, recipe: Recipe, file: str) -> Path:
    """A file of the hub, from its cache where it is there."""
    fix = f"fetch {', '.join(recipe.files)} elsewhere and give their folder with --from"
    if not recipe.hub:
        raise OperatorError(f"data fetch {name}", file, "its authors publish it outside the hub", fix)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(hf_hub_download(recipe.hub, file, repo_type="dataset", etag_timeout=TIMEOUT_S))
    except (HfHubHTTPError, OSError, ValueError) as error:
        problem = f"cannot be had: {str(error).splitlines()[0][:200]}"
        raise OperatorError(f"data fetch {name}", f"{recipe.hub}/{file}", problem, fix) from error
