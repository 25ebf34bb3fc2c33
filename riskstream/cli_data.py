"""The commands about labelled data: card, check, fetch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from riskstream.core.records import Labels

PATH = click.Path(path_type=Path)


@click.group()
def data() -> None:
    """Labelled files for training."""


@data.command()
@click.option("--config", "config", required=True, type=PATH, help="config/train/<name>.toml")
@click.option("--out", type=PATH, help="The file to write; else stdout.")
def card(config: Path, out: Path | None) -> int:
    """What the labelled files hold, as counts: labels, splits, copies, agreement, licences. Markdown."""
    from riskstream.trainer.config import load_config
    from riskstream.trainer.measuring.data_card import data_card

    text = data_card(load_config(config))
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
    return 0


@data.command()
@click.argument("files", nargs=-1, required=True, type=PATH)
@click.option("--config", "config", type=PATH, help="Labels must be those of this config/train/<name>.toml.")
def check(files: tuple[Path, ...], config: Path | None) -> int:
    """Read labelled files; what is wrong on stderr, line by line, and exit code 2 where anything is."""
    from riskstream.trainer.config import load_config
    from riskstream.trainer.data.rows import HEADS, MISTAKES_MAX, check_rows, told

    names = load_config(config).labels if config else None
    labels = Labels(names.sentiment, names.severity, names.risk, names.topic) if names else None
    wrong = 0
    for path in files:
        rows, mistakes = check_rows(path, labels, unique_ids=True)
        wrong += len(mistakes)
        for mistake in mistakes:
            click.echo(told(path, mistake), err=True)
        if len(mistakes) == MISTAKES_MAX:
            click.echo(f"{path}: not read further after {MISTAKES_MAX} mistakes", err=True)
        heads = Counter(head for row in rows for head in row.labels)
        others = ", ".join(sorted(set(heads) - set(HEADS)))
        counts = ", ".join(f"{head} {count}" for head, count in heads.most_common()) or "no labels"
        note = f" (not heads of ours: {others})" if others else ""
        click.echo(f"{path}: {len(rows)} rows, {len(mistakes)} mistakes; {counts}{note}")
    return 2 if wrong else 0


@data.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--out", type=PATH, default=Path("data"), show_default=True, help="The folder to write <name>.jsonl to.")
@click.option("--from", "folder", type=PATH, help="A folder with the published files; else they are downloaded.")
def fetch(names: tuple[str, ...], out: Path, folder: Path | None) -> int:
    """Fetch public sets (tfns, tfnt, sentfin) and write them as our rows; the published evaluation split is `test`."""
    from riskstream.trainer.data.fetch import RECIPES
    from riskstream.trainer.data.fetch import fetch as fetch_one

    for name in names:
        path, count = fetch_one(name, out, folder)
        recipe = RECIPES[name]
        click.echo(f"{path}: {count} rows; {recipe.source}, {recipe.licence}")
    return 0
