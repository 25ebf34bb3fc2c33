"""A version is vouched for by a signature of its manifest, and by nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from riskstream.core.errors import OperatorError, UnsignedVersion
from riskstream.registry import store
from riskstream.registry.port import Store
from riskstream.registry.signatures import fetch, sign
from tests.support.brokers import fresh
from tests.support.signing import keys


@pytest.fixture(params=["directory", "memory"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store with two versions of a model."""
    root = str(tmp_path / "models") if request.param == "directory" else f"memory://{fresh('models')}"
    opened = store.opened(root, tmp_path / "cache")
    for version in ("1", "2"):
        made = tmp_path / f"made-{version}"
        made.mkdir()
        (made / "weights").write_text(f"weights of {version}")
        files = {"weights": hashlib.sha256((made / "weights").read_bytes()).hexdigest()}
        (made / "manifest.json").write_text(json.dumps({"files": files, "version": version}))
        store.publish(opened, made, "finrisk", version)
    return opened


def test_who_is_trusted_is_believed_and_only_about_what_was_signed(shelf: Store, tmp_path: Path) -> None:
    key, signers = keys(tmp_path / "desk")
    assert sign(shelf, "finrisk@1", key) == "finrisk@1"
    assert (fetch(shelf, "finrisk@1", signers) / "weights").read_text() == "weights of 1"
    with pytest.raises(UnsignedVersion, match="nobody has signed it"):
        fetch(shelf, "finrisk@2", signers)
    shelf.write("finrisk", "2.sig", shelf.read("finrisk", "1.sig") or b"")
    with pytest.raises(UnsignedVersion, match="none of its 1 signatures"):
        fetch(shelf, "finrisk@2", signers)
    assert fetch(shelf, "finrisk@2"), "nobody is asked for where no signers are named"


def test_one_of_several_signers_is_enough_and_rubbish_between_does_no_harm(shelf: Store, tmp_path: Path) -> None:
    key, ours = keys(tmp_path / "ours")
    other, theirs = keys(tmp_path / "theirs")
    signers = tmp_path / "signers.pem"
    signers.write_bytes(b"the desk, and the model team\n" + ours.read_bytes() + theirs.read_bytes())
    sign(shelf, "finrisk@1", other)
    shelf.write("finrisk", "1.sig", b"rubbish\n" + (shelf.read("finrisk", "1.sig") or b""))
    assert fetch(shelf, "finrisk@1", signers)
    with pytest.raises(UnsignedVersion, match="none of its 2 signatures"):
        fetch(shelf, "finrisk@1", ours)
    sign(shelf, "finrisk@1", key)
    sign(shelf, "finrisk@1", key)
    assert fetch(shelf, "finrisk@1", ours)
    assert len((shelf.read("finrisk", "1.sig") or b"").split()) == 3, "the same signature is added once"


def test_a_manifest_that_was_changed_is_signed_by_nobody(tmp_path: Path, shelf: Store) -> None:
    key, signers = keys(tmp_path / "desk")
    sign(shelf, "finrisk@1", key)
    local = fetch(shelf, "finrisk@1", signers)
    beside = local.with_name(f"{local.name}.sig")
    beside.write_bytes(shelf.read("finrisk", "1.sig") or b"")
    assert fetch(shelf, str(local), signers) == local.resolve()
    (local / "manifest.json").write_bytes((local / "manifest.json").read_bytes() + b" ")
    with pytest.raises(UnsignedVersion):
        fetch(shelf, str(local), signers)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "holds no public key, or cannot be read"),
        (b"", "holds no public key"),
        (b"-----BEGIN PUBLIC KEY-----\nnot base64!\n-----END PUBLIC KEY-----\n", "a key that cannot be read"),
        (b"x" * 70_000, "holds no public key"),
    ],
)
def test_a_wrong_file_of_signers_is_told(shelf: Store, tmp_path: Path, content: bytes | None, told: str) -> None:
    signers = tmp_path / "signers.pem"
    if content is not None:
        signers.write_bytes(content)
    with pytest.raises(OperatorError, match=told):
        fetch(shelf, "finrisk@1", signers)


def test_a_wrong_key_is_told_and_not_shown(shelf: Store, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("secret")
    with pytest.raises(OperatorError, match=r"key\.pem.*is no private key") as error:
        sign(shelf, "finrisk@1", tmp_path / "key.pem")
    assert "secret" not in str(error.value)
