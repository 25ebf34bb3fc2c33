"""The other edge of the store: a URL (`s3://`, `gs://`, `hf://`, `file://`, `memory://`) through fsspec.

    publish   files ─► put ─► … ─► manifest.json put last: from then on the version is there
    fetch     files ─► <cache>/.<…>.part/ ─► hashes checked ─► rename ─► <cache>/<name>-<version>-<manifest's digest>/

Rule 1. A small file is one put, which object stores make visible whole.
Rule 2. What is in the cache is checked again when it is asked for; a damaged copy is fetched anew.
Rule 3. The cache keeps `CACHED_MAX` versions, those used last.

Doubt: two publishers of one version at the same time may mix their files; the hashes then refuse it everywhere.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec

from riskstream.core.addresses import without_credentials
from riskstream.core.errors import DamagedVersion, MissingVersion, OperatorError, RegistryUnreachable
from riskstream.registry.port import (
    MANIFEST,
    already_there,
    check_files,
    hashes_in,
    is_name,
    is_version,
    natural,
    to_publish,
)

CACHED_MAX = 4
"""The one that runs, the one before, a candidate, and one to spare: about 160 MiB of shipped-size versions."""
ABANDONED_S = 3_600.0
"""A download that is older was left by a process that died."""


class Url:
    """A `Store` behind a URL, with a local cache directory for what is loaded from it."""

    def __init__(self, url: str, cache: str | Path) -> None:
        self.root = without_credentials(url)
        self._cache = Path(cache)
        try:
            self._fs: Any
            self._fs, base = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            fix = "install the fsspec plugin of this scheme (s3fs, gcsfs, …), or use a directory"
            raise OperatorError("models.root", url, str(error), fix) from error
        except Exception as error:  # a plugin may raise anything of its own while it looks for credentials
            raise self._unreachable(error) from error
        self._base = base.rstrip("/")

    def names(self) -> list[str]:
        """The models that have at least one version."""
        return sorted((name for name in self._list(self._base) if self.versions(name)), key=natural)

    def versions(self, name: str) -> list[str]:
        """The versions of a model, in natural order."""
        if not is_name(name):
            return []
        folder = f"{self._base}/{name}"
        with self._answering():
            found = [v for v in self._list(folder) if is_version(v) and self._fs.isfile(f"{folder}/{v}/{MANIFEST}")]
        return sorted(found, key=natural)

    def read(self, name: str, file: str) -> bytes | None:
        """A small file beside the versions."""
        return self._cat(f"{self._base}/{name}/{file}")

    def write(self, name: str, file: str, data: bytes) -> None:
        """One put. A plain file system behind `file://` gets a rename instead, since there a put is not one step."""
        path = f"{self._base}/{name}/{file}"
        with self._answering():
            if "file" in self._protocols():
                part = f"{self._base}/{name}/.{file}.{os.getpid()}.part"
                self._fs.pipe_file(part, data)
                Path(part).replace(path)
            else:
                self._fs.pipe_file(path, data)

    def manifest(self, name: str, version: str) -> bytes:
        """A version's manifest."""
        good = is_name(name) and is_version(version)
        manifest = self._cat(f"{self._base}/{name}/{version}/{MANIFEST}") if good else None
        if manifest is None:
            raise self._missing(name, version)
        return manifest

    def stamp(self, name: str, version: str) -> str:
        """Whatever the store lists of the files: sizes, times, entity tags."""
        folder = f"{self._base}/{name}/{version}"
        with self._answering():
            try:
                entries = self._fs.ls(folder, detail=True)
            except FileNotFoundError:
                raise self._missing(name, version) from None
        telling = ("size", "mtime", "created", "ETag", "etag", "LastModified", "md5Hash", "updated", "blob_id")
        return repr(sorted((e["name"], *(str(e.get(key, "")) for key in telling)) for e in entries))

    def fetch(self, name: str, version: str) -> Path:
        """The version in the cache, downloaded if it is not there."""
        folder = f"{self._base}/{name}/{version}"
        manifest = self.manifest(name, version)
        files = hashes_in(manifest, f"{self.root}/{name}/{version}/{MANIFEST}")
        kept = self._cache / f"{name}-{version}-{hashlib.sha256(manifest).hexdigest()[:16]}"
        if kept.is_dir():
            try:
                check_files(kept, files)
            except DamagedVersion:
                shutil.rmtree(kept)
        if not kept.is_dir():
            self._download(folder, files, manifest, kept)
        os.utime(kept)
        self._prune(kept)
        return kept

    def publish(self, directory: Path, name: str, version: str) -> str:
        """Put the files, and the manifest when all of them are there."""
        files = to_publish(directory, name, version)
        target = f"{self._base}/{name}/{version}"
        with self._answering():
            if self._fs.exists(f"{target}/{MANIFEST}"):
                raise already_there(f"{self.root}/{name}/{version}")
            self._fs.makedirs(target, exist_ok=True)
            for file in files:
                self._fs.put_file(str(directory / file), f"{target}/{file}")
            self.write(f"{name}/{version}", MANIFEST, (directory / MANIFEST).read_bytes())
        return f"{self.root}/{name}/{version}"

    def _download(self, folder: str, files: dict[str, str], manifest: bytes, kept: Path) -> None:
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=self._cache))
        except OSError as error:
            fix = "name a directory that this user may write to, with room for a few versions"
            raise RegistryUnreachable("models.cache", str(self._cache), f"{error.strerror}", fix) from error
        try:
            with self._answering():
                for file in files:
                    try:
                        self._fs.get_file(f"{folder}/{file}", str(part / file))
                    except FileNotFoundError:
                        (part / file).unlink(missing_ok=True)
            check_files(part, files)
            (part / MANIFEST).write_bytes(manifest)
            if not kept.is_dir():
                part.rename(kept)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _prune(self, kept: Path) -> None:
        """Forget the versions that were used longest ago, and downloads that were never finished."""
        there = [path for path in self._cache.iterdir() if path.is_dir()]
        whole = [path for path in there if is_name(path.name) and (path / MANIFEST).is_file() and path != kept]
        whole.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        abandoned_s = time.time() - ABANDONED_S
        left = [path for path in there if path.name.endswith(".part") and path.stat().st_mtime < abandoned_s]
        for path in (*whole[CACHED_MAX - 1 :], *left):
            shutil.rmtree(path, ignore_errors=True)

    def _list(self, folder: str) -> list[str]:
        with self._answering():
            try:
                return [str(path).rstrip("/").rpartition("/")[2] for path in self._fs.ls(folder, detail=False)]
            except (FileNotFoundError, NotADirectoryError):
                return []

    def _cat(self, path: str) -> bytes | None:
        with self._answering():
            try:
                return bytes(self._fs.cat_file(path))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

    def _protocols(self) -> tuple[str, ...]:
        found = self._fs.protocol
        return (found,) if isinstance(found, str) else tuple(found)

    def _missing(self, name: str, version: str) -> MissingVersion:
        return MissingVersion("models.name", f"{name}@{version}", f"not in {self.root}", "name another one")

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """What a plugin raises is its own business (network, credentials, quota): all of it means no answer now."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, OperatorError):
            raise
        except Exception as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> RegistryUnreachable:
        fix = "see that the address, the network and the credentials are right"
        return RegistryUnreachable("models.root", self.root, f"does not answer: {error!r}"[:300], fix)
