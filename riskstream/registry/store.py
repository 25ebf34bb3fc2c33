"""Where model versions are kept, and which of them is in use.

    <root>/<name>/<version>/     a version: manifest.json and the files whose hashes it holds
    <root>/<name>/champion       an alias: a file whose content is a version
    <root>/<name>/candidate      another

Rule 1. A reference is `name@version`, `name@alias`, `name` (its champion), or the path of a version's directory.
Rule 2. An alias is replaced in one step: a reader sees the old version or the new one, never half a name.
Rule 3. A version is never changed once it is there; a correction is a new version.

The hashes of a version's files are checked by who loads it, at every load, in `scoring/manifest.py`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from riskstream.core.errors import OperatorError

CHAMPION, CANDIDATE = "champion", "candidate"
ALIASES = (CHAMPION, CANDIDATE)
MANIFEST = "manifest.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Version(msgspec.Struct, frozen=True):
    """A version in the store, and the aliases that point to it."""

    name: str
    version: str
    path: Path
    aliases: tuple[str, ...]


def resolve(root: str | Path, reference: str) -> Path:
    """The directory that a reference means. Raises OperatorError, with what there is, where it means nothing."""
    if _is_version(Path(reference)):
        return Path(reference)
    name, _, wanted = reference.partition("@")
    if not NAME.fullmatch(name) or (wanted and not NAME.fullmatch(wanted)):
        raise OperatorError(
            "model.name", reference, f"neither a version's directory (one with a {MANIFEST}) nor name@version",
            "write finrisk@champion, finrisk@1, or a path",
        )  # fmt: skip
    folder = Path(root) / name
    version = wanted or CHAMPION
    if version in ALIASES:
        version = read_alias(root, name, version)
    if not _is_version(folder / version):
        raise OperatorError("model.name", reference, f"not in {folder}", f"choose one of: {_offered(root, name)}")
    return folder / version


def read_alias(root: str | Path, name: str, alias: str) -> str:
    """The version that an alias points to. Raises OperatorError where there is no such alias or it is unreadable."""
    path = Path(root) / name / alias
    try:
        version = path.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise OperatorError(
            "model.name", f"{name}@{alias}", f"there is no {path}", f"choose one of: {_offered(root, name)}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError("model alias", str(path), f"cannot be read: {error}", "write a version into it") from error
    if not NAME.fullmatch(version):
        raise OperatorError(
            "model alias", str(path), f"its content is {version[:40]!r}", "write a version's name into it"
        )
    return version


def set_alias(root: str | Path, name: str, alias: str, version: str) -> None:
    """Point an alias to a version, in one step. Raises OperatorError for an unknown alias or version."""
    if alias not in ALIASES:
        raise OperatorError("model alias", alias, "there is no such alias", f"use one of: {', '.join(ALIASES)}")
    folder = Path(root) / name
    if not _is_version(folder / version):
        raise OperatorError("model version", version, f"not in {folder}", f"choose one of: {_offered(root, name)}")
    part = folder / f".{alias}.part"
    with part.open("w", encoding="utf-8") as file:
        file.write(version + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / alias)


def versions(root: str | Path) -> list[Version]:
    """Every version in the store, by name and version. Raises OperatorError where the root is not a directory."""
    base = Path(root)
    if not base.is_dir():
        raise OperatorError(
            "model.root", str(root), "there is no such directory", "correct it, or publish a model first"
        )
    found = []
    for path in sorted(base.glob("*/*")):
        if _is_version(path) and NAME.fullmatch(path.name) and not path.name.endswith(".part"):
            name = path.parent.name
            found.append(Version(name, path.name, path, _aliases_of(base, name, path.name)))
    return found


def _aliases_of(root: Path, name: str, version: str) -> tuple[str, ...]:
    present = [alias for alias in ALIASES if (root / name / alias).is_file()]
    return tuple(alias for alias in present if read_alias(root, name, alias) == version)


def _offered(root: str | Path, name: str) -> str:
    if not Path(root).is_dir():
        return f"(none: {root} is not a directory; set model.root)"
    there = versions(root)
    of_name = [f"{item.name}@{item.version}" for item in there if item.name == name]
    return ", ".join(of_name or [f"{item.name}@{item.version}" for item in there]) or "(none)"


def _is_version(path: Path) -> bool:
    return (path / MANIFEST).is_file()
