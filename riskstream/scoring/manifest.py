"""`manifest.json`: what a model version says of itself. Labels, limits and calibration are data here, not constants.

    <name>/<version>/  manifest.json   hashes of ──► config.json  model.safetensors  tokenizer.json  card.md

The hashes are of the files beside it; `verify` holds them against what lies on the disk, and is called before any of
those files is read. The manifest itself has no hash: whoever can write it can write the files.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from riskstream.core.errors import DamagedVersion
from riskstream.core.records import Labels

MANIFEST = "manifest.json"
CONFIG, WEIGHTS, TOKENIZER, CARD = "config.json", "model.safetensors", "tokenizer.json", "card.md"
RESTORE = "restore the version directory from where it was published, or name another version"


class Platt(msgspec.Struct, frozen=True):
    """`risk_score` = sigmoid(slope × z + offset), z = the severity head's logit of P(material or severe)."""

    slope: float = 1.0
    offset: float = 0.0


class Thresholds(msgspec.Struct, frozen=True):
    """Where a probability becomes a yes, fixed on `valid`.

    `risk` has one per category, in the labels' order. `severity` has one per step: the level is the number of steps
    k = 1, 2, 3 with P(level ≥ k) at or above its threshold. What they were chosen for: `recall` is that of material and
    severe rows at the risk score's threshold, `risk_precision` what each category's threshold has, where it can; 0 is
    not told.
    """

    risk_score: float
    risk: tuple[float, ...]
    severity: tuple[float, ...]
    recall: float = 0.0
    risk_precision: float = 0.0


WINDOW_LOG = 0.6
"""`window_log` of a version that does not say: what fits `finrisk@1` on the 46 passages of `valid`. Of calm documents
drawn from 64 of them none then scores above 0.5; without it 99 of 100 do."""


class Manifest(msgspec.Struct, frozen=True):
    """A version. `metrics` are figures by split, slice and head; `data` has the hash of every data file, `rows` of
    those that were kept elsewhere and only trained on.

    `end_id` is the token that ends a segment of a pair; pooling `question` needs it, -1 is none. `window_log` is for
    the worst of the n windows of a long text: the logit of its risk score is lowered by `window_log` × ln n.
    """

    name: str
    version: str
    labels: Labels
    pooling: str
    pad_id: int
    tokens_max: int
    temperatures: dict[str, float]
    risk_score: Platt
    thresholds: Thresholds
    files: dict[str, str]
    data: dict[str, str] = {}
    rows: dict[str, str] = {}
    metrics: dict[str, Any] = {}
    end_id: int = -1
    window_log: float | None = None
    parent: str = ""
    code: str = ""
    schema: int = 1

    @property
    def calibration(self) -> str:
        """Names what turns logits into probabilities: `sha256:` and 16 digits."""
        decides = msgspec.json.encode((self.temperatures, self.risk_score, self.per_log), order="deterministic")
        return "sha256:" + hashlib.sha256(decides).hexdigest()[:16]

    @property
    def per_log(self) -> float:
        """`window_log`, or what stands in for it."""
        return WINDOW_LOG if self.window_log is None else self.window_log


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a version directory. Raises DamagedVersion where it is missing or unreadable."""
    path = directory / MANIFEST
    try:
        return parse_manifest(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise DamagedVersion("model", str(directory), f"there is no {MANIFEST} in it", RESTORE) from error


def parse_manifest(data: bytes, where: str) -> Manifest:
    """The manifest in a file's bytes; `where` names it. Raises DamagedVersion where it is unreadable."""
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (ValueError, RecursionError) as error:
        raise DamagedVersion("model", where, str(error), RESTORE) from error


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write it, in a form that people and diffs can read."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (directory / MANIFEST).write_bytes(text + b"\n")


def sha256(path: Path) -> str:
    """The hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(directory: Path, manifest: Manifest) -> None:
    """Raise DamagedVersion, naming the file, where a file of the version is missing or is not the one published."""
    for name in (CONFIG, WEIGHTS, TOKENIZER):
        if name not in manifest.files:
            raise DamagedVersion("model", str(directory / MANIFEST), f"it has no hash of {name}", RESTORE)
    for name, expected in manifest.files.items():
        if Path(name).name != name:
            problem = f"it names the file {name[:80]!r}, which is not beside it"
            raise DamagedVersion("model", str(directory / MANIFEST), problem, RESTORE)
        path = directory / name
        if not path.is_file():
            raise DamagedVersion("model", str(path), "the file is missing", RESTORE)
        found = sha256(path)
        if found != expected:
            raise DamagedVersion("model", str(path), f"its sha256 is {found[:12]}…, not {expected[:12]}…", RESTORE)
