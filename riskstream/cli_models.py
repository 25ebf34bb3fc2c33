"""The commands about models: train, evaluate; list, show, verify, promote, rollback."""

from __future__ import annotations

import json
from pathlib import Path

import click

from riskstream.cli_support import CONFIG
from riskstream.concealed import conceal
from riskstream.core.errors import OperatorError
from riskstream.registry.port import Store
from riskstream.settings import load


@click.command()
@click.option("--config", "config", required=True, type=click.Path(path_type=Path), help="config/train/<name>.toml")
@click.option(
    "--search", "trials", type=click.IntRange(1, 1000), help="Publish nothing: try so many settings of [fit]."
)
def train(config: Path, trials: int | None) -> int:
    """Fine-tune a model as a configuration says; the last line is JSON.

    A run that was killed goes on from its last checkpoint. Several GPUs:
    torchrun --nproc-per-node N -m riskstream train --config ….
    """
    from riskstream.telemetry.logs import configure_logging

    configure_logging("INFO", None, conceal)
    if trials:
        from riskstream.trainer.versions.search import search

        click.echo(json.dumps(search(config, trials)))
        return 0
    from riskstream.trainer.versions.run import train as run_training

    if found := run_training(config):
        click.echo(json.dumps(found))
    return 0


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--data", default="../shared/data", show_default=True, help="Where the labelled files are.")
@click.option("--split", type=click.Choice(["test", "valid"]), default="test", show_default=True, help="Which rows.")
@click.option("--against", type=click.Path(path_type=Path), help="Another version, to compare with on the same rows.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the report goes.  [default: MODEL/reports]")
@click.option(
    "--leaked", type=click.Path(path_type=Path), help="A file of row ids, one a line, that the goals leave out."
)
@click.option("--draws", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="Of the bootstrap.")
@click.option("--bias/--no-bias", "checks", default=True, show_default=True, help="Swap names, places and languages.")
def evaluate(
    model: Path,
    data: str,
    split: str,
    against: Path | None,
    out: Path | None,
    leaked: Path | None,
    draws: int,
    checks: bool,
) -> int:
    """Measure a model version on its labelled files: goals on stderr, a report beside the version, JSON on stdout."""
    from riskstream.trainer.measuring.evaluate import evaluate as measure
    from riskstream.trainer.measuring.report import goals_table

    known: frozenset[str] = frozenset()
    if leaked is not None:
        if not leaked.is_file():
            raise OperatorError("--leaked", str(leaked), "there is no such file", "give a file of row ids, one a line")
        known = frozenset(leaked.read_text(encoding="utf-8").split())
    where = out or model / "reports"
    found = measure(model, data, split, against=against, out=where, leaked=known, checks=checks, draws=draws)
    click.echo(goals_table(found["goals"]), err=True)
    click.echo(f"The report is in {where}.", err=True)
    click.echo(json.dumps(found, allow_nan=False))
    return 0


@click.group()
def models() -> None:
    """Model versions."""


@models.command("list")
@CONFIG
def models_list(config: Path | None) -> int:
    """Every version, with the aliases that point to it."""
    from riskstream.registry.store import versions

    for version in versions(_store(config)):
        click.echo(f"{version.name}@{version.version}  {' '.join(version.aliases)}".rstrip())
    return 0


@models.command("show")
@click.argument("reference")
@CONFIG
def models_show(reference: str, config: Path | None) -> int:
    """The manifest of a version: labels, hashes, figures. JSON on stdout."""
    from riskstream.registry.store import resolve
    from riskstream.scoring.manifest import MANIFEST

    click.echo((resolve(_store(config), reference) / MANIFEST).read_text(encoding="utf-8"))
    return 0


@models.command("verify")
@click.argument("reference")
@CONFIG
def models_verify(reference: str, config: Path | None) -> int:
    """Check every file of a version against its manifest, and its signature where models.signers_file is set."""
    from riskstream.registry.signatures import fetch
    from riskstream.scoring.manifest import read_manifest, verify

    signers = load(config).models.signers_file
    directory = fetch(_store(config), reference, signers)
    manifest = read_manifest(directory)
    verify(directory, manifest)
    signed = ", signed by somebody who is trusted" if signers else ""
    click.echo(f"{directory}: {len(manifest.files)} files, as in the manifest{signed}")
    return 0


@models.command("sign")
@click.argument("reference")
@click.option("--key", required=True, type=click.Path(path_type=Path), help="An ed25519 private key, PEM.")
@CONFIG
def models_sign(reference: str, key: Path, config: Path | None) -> int:
    """Vouch for a version: add a signature, which daemons with models.signers_file ask for."""
    from riskstream.registry.signatures import sign

    click.echo(f"{sign(_store(config), reference, key)} is signed")
    return 0


@models.command("promote")
@click.argument("reference")
@CONFIG
def models_promote(reference: str, config: Path | None) -> int:
    """Make a version (finrisk@2, finrisk@candidate) the champion; running daemons take it over."""
    from riskstream.registry.store import promote

    name, version = promote(_store(config), reference)
    click.echo(f"{name}@champion is {version}")
    return 0


@models.command("rollback")
@click.argument("name")
@CONFIG
def models_rollback(name: str, config: Path | None) -> int:
    """Make the version before the champion again; once more: one further back."""
    from riskstream.registry.store import rollback

    was, now = rollback(_store(config), name)
    click.echo(f"{name}@champion is {now}, was {was}")
    return 0


def _store(config: Path | None) -> Store:
    from riskstream.registry.store import opened

    section = load(config).models
    return opened(section.root, section.cache)
