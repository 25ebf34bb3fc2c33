"""Model directories: whatever a file of one holds, a model that answers, or an error that says what is wrong with it.

Hashes stand before all of this. They are made to fit here, as whoever publishes a version can: what is behind them is
asked. Each load runs in another process with bounded memory, since native code that fails may take its process along.
"""

from __future__ import annotations

import base64
import hashlib
import json
import multiprocessing
import resource
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.errors import OperatorError
from riskstream.registry.signatures import check, read_signers
from riskstream.scoring.backends import load
from riskstream.scoring.golden import check_golden
from tests.fuzz.damage import altered, damaged, fuzz

TINY = Path(__file__).parents[2] / "models" / "tiny" / "1"
FILES = {file.name: file.read_bytes() for file in sorted(TINY.iterdir())}
NAMES = ("manifest.json", "config.json", "tokenizer.json", "model.safetensors", "golden.json")
MEMORY_BYTES_MAX = 12 * 2**30
PEAK_KIB_MAX = 4 * 2**20
SECONDS_MAX = 100
"""Of one load; the first imports the libraries, on a machine that may be busy."""


def bounded() -> None:
    """No child may take the machine along."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MEMORY_BYTES_MAX if hard == resource.RLIM_INFINITY else min(hard, MEMORY_BYTES_MAX)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def tried(directory: Path, backend: str) -> str:
    """What a start makes of a directory."""
    try:
        scorer = load(directory, backend=backend, device="cpu", dtype="auto", threads=1)  # type: ignore[arg-type]
        check_golden(scorer, directory)
    except OperatorError as error:
        return f"refused: {error}"[:300] if error.fix else f"no fix: {error}"
    except Exception as error:  # as text: not every one of a library can be sent to another process
        return f"failed: {type(error).__name__}: {error}"[:300]
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return "taken" if peak_kib < PEAK_KIB_MAX else f"took {peak_kib} KiB"


@pytest.fixture(scope="module")
def child() -> Iterator[ProcessPoolExecutor]:
    """One process that loads, one version after another."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=bounded) as pool:
        yield pool


@st.composite
def versions(draw: st.DrawFn) -> dict[str, bytes]:
    """The files of a version, one of them damaged or altered."""
    name = draw(st.sampled_from(NAMES))
    good = FILES[name]
    if name != "model.safetensors" and draw(st.booleans()):
        return {**FILES, name: json.dumps(draw(altered(json.loads(good)))).encode()}
    return {**FILES, name: draw(damaged(st.just(good)))}


def written(folder: Path, files: dict[str, bytes]) -> None:
    """A directory whose manifest, where it can be read, has the hashes of its files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    manifest: Any
    try:
        manifest = json.loads(files["manifest.json"])
        hashes = manifest["files"]
        for name in hashes:
            if name in files:
                hashes[name] = hashlib.sha256(files[name]).hexdigest()
        files = {**files, "manifest.json": json.dumps(manifest).encode()}
    except (ValueError, TypeError, KeyError):
        manifest = None  # as it is
    for name, data in files.items():
        (folder / name).write_bytes(data)


@pytest.fixture(scope="module")
def signed() -> tuple[bytes, bytes]:
    """A signers file, and the signatures of the tiny version's manifest by one of two."""
    keys = [Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (1, 2)]
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signers = b"".join(key.public_key().public_bytes(*form) for key in keys)
    return signers, base64.b64encode(keys[1].sign(FILES["manifest.json"])) + b"\n"


@fuzz()
@given(data=st.data())
def test_damaged_signatures(
    signed: tuple[bytes, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Never taken where what vouches is damaged, unless the damage changes nothing that counts."""
    folder = tmp_path_factory.getbasetemp()
    signers, signatures = signed
    which = data.draw(st.sampled_from(["signers", "signatures", "manifest"]))
    good = {"signers": signers, "signatures": signatures, "manifest": FILES["manifest.json"]}
    files = {**good, which: data.draw(damaged(st.just(good[which])))}
    (folder / "signers.pem").write_bytes(files["signers"])
    try:
        check(files["manifest"], files["signatures"], read_signers(folder / "signers.pem"), "tiny@1")
    except OperatorError as error:
        assert error.fix
    else:
        assert files["manifest"] == good["manifest"]


def test_the_whole_version_is_taken(child: ProcessPoolExecutor, tmp_path: Path) -> None:
    written(tmp_path / "v", FILES)
    for backend in ("openvino", "torch"):
        assert child.submit(tried, tmp_path / "v", backend).result(SECONDS_MAX) == "taken"


@pytest.mark.parametrize("backend", ["openvino", "torch"])
@fuzz(share=0.5, few=25, seconds_max=SECONDS_MAX)
@given(files=versions())
def test_damaged_versions(
    child: ProcessPoolExecutor, tmp_path_factory: pytest.TempPathFactory, backend: str, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.getbasetemp() / f"version-{backend}"
    written(folder, files)
    assert child.submit(tried, folder, backend).result(SECONDS_MAX).startswith(("taken", "refused"))
