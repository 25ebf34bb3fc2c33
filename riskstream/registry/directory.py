"""The plain edge of the store: a directory, on a disk or a shared volume.

    publish   files ─► <name>/.<version>.<pid>.part/ ─► flushed ─► rename ─► <name>/<version>/
    write     data ─► .<file>.<pid>.part ─► flushed ─► rename ─► <file>

A rename onto a directory that is not empty fails, so that of two publishers of one version the second is told.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from riskstream.core.errors import MissingVersion, OperatorError, RegistryUnreachable
from riskstream.registry.port import MANIFEST, already_there, is_name, is_version, natural, to_publish


class Directory:
    """A `Store` in a local directory."""

    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        self._root = Path(root)

    def names(self) -> list[str]:
        """The models that have at least one version. Raises OperatorError where the root is not a directory."""
        if not self._root.is_dir():
            problem, fix = "there is no such directory", "correct it, or publish a model first"
            raise OperatorError("models.root", self.root, problem, fix)
        with self._answering():
            return sorted((p.name for p in self._root.iterdir() if self.versions(p.name)), key=natural)

    def versions(self, name: str) -> list[str]:
        """The versions of a model, in natural order."""
        folder = self._root / name
        if not is_name(name) or not folder.is_dir():
            return []
        with self._answering():
            found = [p.name for p in folder.iterdir() if is_version(p.name) and (p / MANIFEST).is_file()]
        return sorted(found, key=natural)

    def read(self, name: str, file: str) -> bytes | None:
        """A small file beside the versions."""
        with self._answering():
            try:
                return (self._root / name / file).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, name: str, file: str, data: bytes) -> None:
        """Replace a small file in one step."""
        path = self._root / name / file
        part = path.with_name(f".{file}.{os.getpid()}.part")
        with self._answering():
            with part.open("wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            part.replace(path)

    def stamp(self, name: str, version: str) -> str:
        """Sizes and times of the files."""
        folder = self._version(name, version)
        with self._answering():
            seen = sorted((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in folder.iterdir())
        return repr(seen)

    def fetch(self, name: str, version: str) -> Path:
        """The version's own directory: whoever loads it checks the hashes."""
        return self._version(name, version)

    def publish(self, directory: Path, name: str, version: str) -> str:
        """Copy a finished directory beside its place, then rename it there."""
        files = to_publish(directory, name, version)
        target = self._root / name / version
        if target.exists():
            raise already_there(str(target))
        part = target.with_name(f".{version}.{os.getpid()}.part")
        with self._answering():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            try:
                for file in (*files, MANIFEST):
                    shutil.copyfile(directory / file, part / file)
                    _flush(part / file)
                part.rename(target)
            except OSError as error:
                shutil.rmtree(part, ignore_errors=True)
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise already_there(str(target)) from None
                raise
        return str(target)

    def _version(self, name: str, version: str) -> Path:
        folder = self._root / name / version
        if not is_name(name) or not is_version(version) or not (folder / MANIFEST).is_file():
            raise MissingVersion("models.name", f"{name}@{version}", f"not in {self._root / name}", "name another one")
        return folder

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            fix = "see that the volume is mounted and that this user may use it"
            raise RegistryUnreachable("models.root", self.root, f"{error.strerror or error}", fix) from error


def _flush(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
