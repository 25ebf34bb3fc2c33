"""The port of the store of model versions, and the words that both of its edges share.

    <root>/<name>/<version>/manifest.json     a version: this file and the files whose hashes it holds
    <root>/<name>/champion, candidate         aliases: files whose content is a version
    <root>/<name>/history.jsonl               how the aliases moved, so that a rollback knows where back is
    <root>/<name>/<version>.sig               who vouches for a version (signatures.py)

    Store ──┬── Directory   directory.py   a version is written beside and renamed
            └── Url         url.py         object stores through fsspec: the manifest is put last

Rule 1. A version is there when its manifest is there. It appears whole or not at all, and is never written again.
Rule 2. A small file (an alias, the history) is replaced in one step: a reader sees the old content or the new.
Rule 3. No name from outside leaves its folder: names, versions and the manifest's file names are one plain segment.

Doubt: nothing locks. Two people who move one alias in the same second leave the pointer of the later one, and perhaps
the history of the earlier; object stores offer no better without a database beside them.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Protocol

import msgspec

from riskstream.core.errors import DamagedVersion, OperatorError

CHAMPION, CANDIDATE = "champion", "candidate"
ALIASES = (CHAMPION, CANDIDATE)
MANIFEST, HISTORY, SIGNATURES = "manifest.json", "history.jsonl", ".sig"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
RESERVED = frozenset({*ALIASES, HISTORY})
RESTORE = "publish it again as a new version, or name another one"


class Store(Protocol):
    """Where versions are kept. Every method raises RegistryUnreachable where the store does not answer."""

    root: str
    """What `models.root` says, for messages."""

    def names(self) -> list[str]:
        """The models that have at least one version, in natural order."""

    def versions(self, name: str) -> list[str]:
        """The versions of a model, in natural order; none where there is no such model."""

    def read(self, name: str, file: str) -> bytes | None:
        """The content of a small file beside the versions; None where it is not there."""

    def write(self, name: str, file: str, data: bytes) -> None:
        """Replace a small file beside the versions in one step."""

    def manifest(self, name: str, version: str) -> bytes:
        """What a version says of itself, without its weights. Raises MissingVersion."""

    def stamp(self, name: str, version: str) -> str:
        """What changes when a file of a version is touched, without reading the files. Raises MissingVersion."""

    def fetch(self, name: str, version: str) -> Path:
        """A local directory with the version's files. Raises MissingVersion, DamagedVersion."""

    def publish(self, directory: Path, name: str, version: str) -> str:
        """Make a finished directory (manifest and files) a version, whole; returns where. Raises OperatorError where
        the version is there already: it is never overwritten."""


class _Files(msgspec.Struct, frozen=True):
    """What the store needs to know of a manifest."""

    files: dict[str, str]


def is_name(text: str) -> bool:
    """Whether a text may name a model, a version or a version's file."""
    return bool(NAME.fullmatch(text)) and not text.endswith(".part")


def is_version(text: str) -> bool:
    """Whether a text may name a version: aliases and the history may not be hidden by one."""
    return is_name(text) and text not in RESERVED


def natural(text: str) -> list[tuple[int, int, str]]:
    """A key that puts 2 before 10, and 1.9 before 1.10."""
    parts = re.split(r"(\d+)", text)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts if part]


def hashes_in(manifest: bytes, where: str) -> dict[str, str]:
    """File name → sha256 of a manifest. Raises DamagedVersion where it is unreadable or names a file elsewhere."""
    try:
        files = msgspec.json.decode(manifest, type=_Files).files
    except (ValueError, RecursionError) as error:
        raise DamagedVersion("model", where, str(error), RESTORE) from error
    for name in files:
        if not is_name(name) or name == MANIFEST:
            raise DamagedVersion("model", where, f"it names the file {name[:80]!r}, which is no plain name", RESTORE)
    return files


def check_files(directory: Path, files: dict[str, str]) -> None:
    """Raise DamagedVersion, naming the file, where one is missing or is not the one that the manifest means."""
    for name, expected in files.items():
        path = directory / name
        if not path.is_file():
            raise DamagedVersion("model", str(path), "the file is missing", RESTORE)
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise DamagedVersion("model", str(path), f"its sha256 is {found[:12]}…, not {expected[:12]}…", RESTORE)


def to_publish(directory: Path, name: str, version: str) -> dict[str, str]:
    """The files of a directory that is about to become a version. Raises OperatorError where it may not."""
    for thing, text, good in (("name", name, is_name(name)), ("version", version, is_version(version))):
        if not good:
            fix = "use letters, digits, dots and hyphens, and no alias"
            raise OperatorError(f"model {thing}", text, f"is no name of a {thing}", fix)
    path = directory / MANIFEST
    if not path.is_file():
        raise DamagedVersion("model", str(directory), f"there is no {MANIFEST} in it", "name a finished version")
    files = hashes_in(path.read_bytes(), str(path))
    check_files(directory, files)
    return files


def already_there(where: str) -> OperatorError:
    """What a second publication of a version is told."""
    return OperatorError("model version", where, "is there already, and a version is never overwritten", "take another")
