"""What a reference means, and how aliases move; over any `Store` (port.py).

    name@version · name@alias · name (its champion) · a version's directory ──► resolve ──► a local directory

    promote:   champion 2 ─► 3     history: + {champion, 2 → 3}
    rollback:  champion 3 ─► 2     history: + {champion, 3 → 2, back}      again: further back

Rule 1. The history is written before the alias. A crash between the two leaves a last line whose `before` is still the
        alias: it is read as not having happened.
Rule 2. An alias that someone changed by hand goes back to where the history last put it.
Rule 3. The history keeps the last `MOVES_MAX` moves; beyond them there is no way back by command.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from riskstream.core.clock import format_ms
from riskstream.core.errors import DamagedVersion, MissingVersion, OperatorError
from riskstream.registry.directory import Directory
from riskstream.registry.port import (
    ALIASES,
    CANDIDATE,
    CHAMPION,
    HISTORY,
    MANIFEST,
    SIGNATURES,
    Store,
    check_files,
    hashes_in,
    is_name,
    is_version,
)
from riskstream.registry.url import Url

__all__ = ("ALIASES", "CANDIDATE", "CHAMPION", "MANIFEST", "Pin", "Version")

MOVES_MAX = 100
"""A move a day for three months; each is about 100 bytes."""
CACHE = ".cache/models"


class Version(msgspec.Struct, frozen=True):
    """A version in the store, and the aliases that point to it."""

    name: str
    version: str
    aliases: tuple[str, ...]


class Pin(msgspec.Struct, frozen=True):
    """What a reference means now. `stamp` changes when a file of the version does, or who vouches for it."""

    name: str
    version: str
    stamp: str

    @property
    def title(self) -> str:
        """`name@version`, as signals name a model."""
        return f"{self.name}@{self.version}"


class Move(msgspec.Struct, frozen=True):
    """An alias moved. `back` marks a rollback; `before` is empty where there was no alias yet."""

    alias: str
    before: str
    after: str
    at: str
    back: bool = False


def opened(root: str | Path, cache: str | Path = CACHE) -> Store:
    """The store at a directory or a URL; `cache` is where versions of a URL are kept. No directory is made or read."""
    return Url(str(root), cache) if "://" in str(root) else Directory(root)


def resolve(root: str | Path | Store, reference: str, cache: str | Path = CACHE) -> Path:
    """A local directory with the files that a reference means. Raises OperatorError, with what there is, where it
    means nothing; the hashes of a local version are checked by who loads it, in `scoring/manifest.py`."""
    if is_directory(reference):
        return Path(reference)
    store = _store(root, cache)
    name, version = look_up(store, reference)
    return store.fetch(name, version)


def look_up(store: Store, reference: str) -> tuple[str, str]:
    """The name and version that a reference means. Raises MissingVersion, with what there is."""
    name, _, wanted = reference.partition("@")
    if not is_name(name) or (wanted and not is_name(wanted)):
        problem = f"neither a version's directory (one with a {MANIFEST}) nor name@version"
        raise MissingVersion("models.name", reference, problem, "write finrisk@champion, finrisk@1, or a path")
    version = wanted or CHAMPION
    if version in ALIASES:
        version = read_alias(store, name, version)
    if version not in store.versions(name):
        fix = f"choose one of: {_offered(store, name)}"
        raise MissingVersion("models.name", reference, f"{name}@{version} is not in {store.root}", fix)
    return name, version


def pinned(store: Store, reference: str) -> Pin:
    """What a reference means now, without fetching it. Raises MissingVersion, RegistryUnreachable."""
    name, version = look_up(store, reference)
    signatures = store.read(name, f"{version}{SIGNATURES}") or b""
    return Pin(name, version, store.stamp(name, version) + signatures.decode("ascii", "replace"))


def follows(reference: str) -> bool:
    """Whether a reference may come to mean another version: an alias may; a version and a directory may not."""
    _, _, wanted = reference.partition("@")
    return not is_directory(reference) and (not wanted or wanted in ALIASES)


def read_alias(root: str | Path | Store, name: str, alias: str) -> str:
    """The version that an alias points to. Raises MissingVersion where there is no such alias or it is unreadable."""
    store = _store(root)
    where = f"{store.root}/{name}/{alias}"
    data = store.read(name, alias) if is_name(name) else None
    if data is None:
        fix = f"choose one of: {_offered(store, name)}"
        raise MissingVersion("models.name", f"{name}@{alias}", f"there is no {where}", fix)
    version = data.decode("utf-8", "replace").strip()
    if not is_version(version):
        raise MissingVersion("model alias", where, f"its content is {version[:40]!r}", "write a version's name into it")
    return version


def set_alias(root: str | Path | Store, name: str, alias: str, version: str, *, back: bool = False) -> None:
    """Point an alias to a version, in one step, and note the move. Raises OperatorError for an unknown one."""
    store = _store(root)
    if alias not in ALIASES:
        raise OperatorError("model alias", alias, "there is no such alias", f"use one of: {', '.join(ALIASES)}")
    if version not in store.versions(name):
        fix = f"choose one of: {_offered(store, name)}"
        raise MissingVersion("model version", version, f"not in {store.root}/{name}", fix)
    before = _pointed(store, name, alias)
    if before == version:
        return
    moves = [*history(store, name), Move(alias, before, version, format_ms(time.time_ns() // 1_000_000), back)]
    lines = b"".join(msgspec.json.encode(move) + b"\n" for move in moves[-MOVES_MAX:])
    store.write(name, HISTORY, lines)
    store.write(name, alias, version.encode() + b"\n")


def promote(root: str | Path | Store, reference: str) -> tuple[str, str]:
    """Point champion to what a reference means, once its files are found to be those published; its name, version."""
    store = _store(root)
    name, version = look_up(store, reference)
    _check(store.fetch(name, version))
    set_alias(store, name, CHAMPION, version)
    return name, version


def rollback(root: str | Path | Store, name: str) -> tuple[str, str]:
    """Point champion to the version before; again: one further back. Returns (from, to); OperatorError where there is
    none, or it is gone or damaged."""
    store = _store(root)
    now = read_alias(store, name, CHAMPION)
    way = _way_back(history(store, name), CHAMPION, now)
    if not way:
        fix = f"promote one of: {_offered(store, name)}"
        raise OperatorError("model", name, f"no version was champion before {now}", fix)
    if way[-1] not in store.versions(name):
        problem = f"the champion before {now} was {way[-1]}, which is no longer there"
        raise MissingVersion("model", name, problem, f"promote one of: {_offered(store, name)}")
    _check(store.fetch(name, way[-1]))
    set_alias(store, name, CHAMPION, way[-1], back=True)
    return now, way[-1]


def publish(root: str | Path | Store, directory: Path, name: str, version: str) -> str:
    """Make a finished directory a version of the store; returns where. Raises OperatorError where it is there."""
    return _store(root).publish(directory, name, version)


def versions(root: str | Path | Store) -> list[Version]:
    """Every version in the store, by name and version. Raises OperatorError where there is no store."""
    store = _store(root)
    found = []
    for name in store.names():
        pointed = {alias: _pointed(store, name, alias) for alias in ALIASES}
        for version in store.versions(name):
            aliases = tuple(alias for alias in ALIASES if pointed[alias] == version)
            found += [Version(name, version, aliases)]
    return found


def history(root: str | Path | Store, name: str) -> list[Move]:
    """How the aliases of a model moved, the oldest first. Raises DamagedVersion where the file is not ours."""
    store = _store(root)
    lines = (store.read(name, HISTORY) or b"").splitlines()
    try:
        return [msgspec.json.decode(line, type=Move) for line in lines if line.strip()]
    except (ValueError, RecursionError) as error:
        where = f"{store.root}/{name}/{HISTORY}"
        raise DamagedVersion("model history", where, str(error), "mend or remove the file") from error


def _check(directory: Path) -> None:
    manifest = directory / MANIFEST
    check_files(directory, hashes_in(manifest.read_bytes(), str(manifest)))


def _way_back(moves: list[Move], alias: str, now: str) -> list[str]:
    """The versions that an alias can go back to, the nearest last (rules 1 and 2)."""
    mine = [move for move in moves if move.alias == alias]
    if mine and mine[-1].after != now and mine[-1].before == now:
        mine.pop()
    way: list[str] = []
    for move in mine:
        if not move.back:
            way += [move.before] if move.before else []
        elif way:
            way.pop()
    if mine and mine[-1].after != now:
        way.append(mine[-1].after)
    return way


def _pointed(store: Store, name: str, alias: str) -> str:
    data = store.read(name, alias)
    return "" if data is None else data.decode("utf-8", "replace").strip()


def _offered(store: Store, name: str) -> str:
    try:
        names = store.names()
    except OperatorError as error:
        return f"(none: {error.value} is not a store; set models.root)"
    shown = [name] if name in names else names
    return ", ".join(f"{one}@{version}" for one in shown for version in store.versions(one)) or "(none)"


def _store(root: str | Path | Store, cache: str | Path = CACHE) -> Store:
    return opened(root, cache) if isinstance(root, str | Path) else root


def is_directory(reference: str) -> bool:
    """Whether a reference is the path of a version's directory."""
    return bool(reference) and (Path(reference) / MANIFEST).is_file()
