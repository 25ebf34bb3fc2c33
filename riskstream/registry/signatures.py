"""Who vouches for a version: ed25519 signatures of its manifest, in a small file beside it.

    <root>/<name>/3/manifest.json ── sign(key) ──► <root>/<name>/3.sig       a base64 line for each signature
                                  ◄── check ────── models.signers_file       public keys, PEM, one after the other

The manifest holds the hash of every file, its name and its version, so a signature of it is one of all of these.

Rule 1. Where signers are named, a version without a good signature of one of them is not loaded, wherever it lies.
Rule 2. A version is never written again, so signatures lie beside it: one may be added after publication, by somebody
        else than who published.

Doubt: an older version that was signed once stays signed. Who may move the alias may go back to it.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

from riskstream.core.errors import OperatorError, UnsignedVersion
from riskstream.registry.port import MANIFEST, SIGNATURES, Store
from riskstream.registry.store import is_directory, look_up

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

BYTES_MAX = 65_536
"""Of a file of keys or signatures: hundreds of either."""
_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
SETTING = "models.signers_file"


def fetch(store: Store, reference: str, signers: Path | None = None) -> Path:
    """A local directory with the files that a reference means, signed if `signers` is given. Raises OperatorError."""
    if is_directory(reference):
        directory = Path(reference).resolve()
        signatures = _small(directory.with_name(f"{directory.name}{SIGNATURES}"))
    else:
        name, version = look_up(store, reference)
        directory = store.fetch(name, version)
        signatures = store.read(name, f"{version}{SIGNATURES}") if signers else None
    if signers:
        check((directory / MANIFEST).read_bytes(), signatures or b"", read_signers(signers), reference)
    return directory


def sign(store: Store, reference: str, key: Path) -> str:
    """Add a signature by this private key to a version of the store; its `name@version`."""
    name, version = look_up(store, reference)
    line = base64.b64encode(_read_private(key).sign(store.manifest(name, version))) + b"\n"
    before = store.read(name, f"{version}{SIGNATURES}") or b""
    if line not in before.splitlines(keepends=True):
        store.write(name, f"{version}{SIGNATURES}", before + line)
    return f"{name}@{version}"


def check(manifest: bytes, signatures: bytes, signers: list[Ed25519PublicKey], reference: str) -> None:
    """Raise UnsignedVersion unless one of the signatures is one of these signers' and of this manifest."""
    lines = signatures[:BYTES_MAX].split()
    if any(_is_by(signer, line, manifest) for line in lines for signer in signers):
        return
    problem = "nobody has signed it" if not lines else f"none of its {len(lines)} signatures is by one of {SETTING}"
    raise UnsignedVersion("model", reference, problem, "riskstream models sign, with a key of theirs")


def read_signers(file: Path) -> list[Ed25519PublicKey]:
    """The public keys of a file. Raises OperatorError where there is none, or one that is not ed25519."""
    _needed(SETTING, file)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    fix = "openssl pkey -in key.pem -pubout, for each signer"
    blocks = _PUBLIC.findall(_small(file) or b"")
    if not blocks:
        raise OperatorError(SETTING, str(file), "holds no public key, or cannot be read", fix)
    try:
        keys = [load_pem_public_key(block) for block in blocks]
    except ValueError as error:
        raise OperatorError(SETTING, str(file), f"holds a key that cannot be read: {error}", fix) from None
    found = [key for key in keys if isinstance(key, Ed25519PublicKey)]
    if len(found) < len(keys):
        raise OperatorError(SETTING, str(file), "holds a key that is not ed25519", fix)
    return found


def _read_private(file: Path) -> Ed25519PrivateKey:
    _needed("--key", file)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    fix = "openssl genpkey -algorithm ed25519 -out key.pem"
    try:
        key = load_pem_private_key(_small(file) or b"", password=None)
    except (ValueError, TypeError):
        raise OperatorError("--key", str(file), "is no private key without a passphrase", fix) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise OperatorError("--key", str(file), "is not ed25519", fix)
    return key


def _needed(thing: str, file: Path) -> None:
    if importlib.util.find_spec("cryptography") is None:
        raise OperatorError(thing, str(file), "needs the package cryptography", "install riskstream[signing]")


def _is_by(signer: Ed25519PublicKey, line: bytes, manifest: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        signer.verify(base64.b64decode(line, validate=True), manifest)
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _small(file: Path) -> bytes | None:
    """The content of a file, if it is there and of a sane size."""
    try:
        with file.open("rb") as handle:
            data = handle.read(BYTES_MAX + 1)
    except OSError:
        return None
    return data if len(data) <= BYTES_MAX else None
