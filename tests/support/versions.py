"""A registry of models of a few KB: good versions, and some that a daemon must not take."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from riskstream.registry import store
from riskstream.scoring.golden import GOLDEN
from riskstream.scoring.manifest import WEIGHTS, read_manifest, sha256, write_manifest
from riskstream.trainer.versions.tiny import LABELS, build_tiny


def registry(folder: Path, *versions: str) -> Path:
    """`folder`/models with these versions of `tiny`, each with weights of its own; the first is the champion."""
    root = folder / "models"
    for version in versions:
        good(root, version)
    store.set_alias(root, "tiny", store.CHAMPION, versions[0])
    return root


def good(root: Path, version: str) -> None:
    """A version that may be taken."""
    build_tiny(root, seed=int(version), version=version)


def damaged(root: Path, version: str) -> None:
    """One byte of the weights is another."""
    good(root, version)
    path = root / "tiny" / version / WEIGHTS
    weights = bytearray(path.read_bytes())
    weights[-1] ^= 1
    path.write_bytes(weights)


def wrong_labels(root: Path, version: str) -> None:
    """It has no `credit`, and calls what is severe `grave`."""
    labels = msgspec.structs.replace(LABELS, severity=("none", "watch", "material", "grave"))
    build_tiny(root, seed=int(version), version=version, labels=labels)


def without_a_rules_label(root: Path, version: str) -> None:
    """It knows no cyber risk."""
    risk = tuple(kind for kind in LABELS.risk if kind != "cyber")
    build_tiny(root, seed=int(version), version=version, labels=msgspec.structs.replace(LABELS, risk=risk))


def other_scores(root: Path, version: str, by: float = 0.3) -> None:
    """It scores otherwise than when it was published, by more than any precision excuses; its hashes are right."""
    good(root, version)
    path = root / "tiny" / version / GOLDEN
    golden = json.loads(path.read_text())
    golden["answers"][7]["risk_score"] += by
    path.write_text(json.dumps(golden))
    _rehash(path)


def without_golden(root: Path, version: str) -> None:
    """It was published before there were golden pairs."""
    good(root, version)
    directory = root / "tiny" / version
    (directory / GOLDEN).unlink()
    manifest = read_manifest(directory)
    files = {name: digest for name, digest in manifest.files.items() if name != GOLDEN}
    write_manifest(directory, msgspec.structs.replace(manifest, files=files))


def unloadable(root: Path, version: str) -> None:
    """Its weights are not those of its config; its hashes are right."""
    good(root, version)
    path = root / "tiny" / version / WEIGHTS
    path.write_bytes(b"no tensors")
    _rehash(path)


def of_another_name(root: Path, version: str) -> None:
    """A directory whose manifest says that it is another version."""
    good(root, "77")
    (root / "tiny" / "77").rename(root / "tiny" / version)


def _rehash(path: Path) -> None:
    manifest = read_manifest(path.parent)
    write_manifest(path.parent, msgspec.structs.replace(manifest, files={**manifest.files, path.name: sha256(path)}))
