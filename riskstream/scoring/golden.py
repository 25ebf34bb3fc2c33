"""Golden pairs: does a version score here as it did where it was published?

    publish   golden_pairs.json (ours) ─► scorer ─► <version>/golden.json, hashed by the manifest
    load      <version>/golden.json ─► the pairs that it holds ─► scorer ─► largest difference ≤ the backend's limit

Hashes say that the files are whole. They do not say that this library, this device and this precision make the same
numbers of them; that is asked here, with invented texts in English and Chinese, some of them long.

Rule 1. A version is held against its own pairs and numbers, so that other pairs in a later release change nothing.
Rule 2. The limit is the backend's (`LIMITS`), not a setting: who needs a wider one has a backend that is not tested.
Rule 3. Every head counts, and what is not finite fails.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import msgspec

from riskstream.core.errors import DamagedVersion, GoldenFailed
from riskstream.core.ports import Scorer
from riskstream.core.records import Encoded, Partition, Prediction, Ticket
from riskstream.scoring.manifest import Manifest, read_manifest, sha256, write_manifest

GOLDEN = "golden.json"
PAIRS = "golden_pairs.json"
DIGITS = 6
LIMITS = {"float32": 0.002, "bfloat16": 0.02, "int8": 0.2}
"""Largest difference of any probability, by precision. float32 differs by 4e-6 between batches and by less than 0.001
between processors; bfloat16 has 8 bits of mantissa and moves scores by up to 0.018. int8 is 0.0016 from float32 on the
average and 0.15 at the worst of 12,000 probabilities, always alike in any company; a fault of a kernel is further off.
"""
FIX = "publish the version again on this backend, or name another one"
_LANE = Partition("golden", 0)


class Pair(msgspec.Struct, frozen=True):
    """A question to the model."""

    entity: str
    text: str


class Answer(msgspec.Struct, frozen=True):
    """A pair, and the calibrated probabilities at publication in the labels' order."""

    entity: str
    text: str
    sentiment: tuple[float, ...]
    severity: tuple[float, ...]
    risk: tuple[float, ...]
    topic: tuple[float, ...]
    risk_score: float


class Golden(msgspec.Struct, frozen=True):
    """What a version answered when it was published, and on what."""

    backend: str
    answers: tuple[Answer, ...]
    schema: int = 1


def golden_pairs() -> tuple[Pair, ...]:
    """The pairs that new versions are published with."""
    data = resources.files("riskstream.scoring").joinpath(PAIRS).read_bytes()
    return msgspec.json.decode(data, type=tuple[Pair, ...])


def write_golden(scorer: Scorer, directory: Path) -> Manifest:
    """Note how a version answers the golden pairs, and hash that in its manifest, which is written again and returned.

    For whoever publishes, before the version has its place. Raises GoldenFailed where an answer is not finite.
    """
    pairs = golden_pairs()
    answers = []
    for pair, found in zip(pairs, _predictions(scorer, pairs), strict=True):
        if not all(math.isfinite(number) for _, number in _numbers(found)):
            raise GoldenFailed("model", scorer.name, f"gave no number for {pair.text[:40]!r}", "train it again")
        heads = {head: tuple(round(p, DIGITS) for p in getattr(found, head)) for head in _HEADS}
        answers.append(Answer(pair.entity, pair.text, **heads, risk_score=round(found.risk_score, DIGITS)))
    lines = b",\n".join(msgspec.json.encode(answer) for answer in answers)
    head = b'{"schema":1,"backend":' + msgspec.json.encode(scorer.backend)
    (directory / GOLDEN).write_bytes(head + b',"answers":[\n' + lines + b"\n]}\n")
    (directory / GOLDEN).chmod(0o644)
    manifest = read_manifest(directory)
    hashed = dict(sorted({**manifest.files, GOLDEN: sha256(directory / GOLDEN)}.items()))
    manifest = msgspec.structs.replace(manifest, files=hashed)
    write_manifest(directory, manifest)
    return manifest


def has_golden(directory: Path) -> bool:
    """Whether a version says how it scored when it was published; those of before 0.2 do not."""
    return GOLDEN in read_manifest(directory).files


def limit_of(backend: str) -> float:
    """The largest difference that a backend is granted; that of float32 for a precision that is not known."""
    return LIMITS.get(backend.rsplit(" ", 1)[-1], LIMITS["float32"])


def check_golden(scorer: Scorer, directory: Path) -> float:
    """Score the golden pairs of a loaded version; the largest difference. Also warms the model up.

    Raises GoldenFailed where a probability is further from its publication than the backend's limit or not finite, or
    where the version has no golden pairs; DamagedVersion where they cannot be read.
    """
    if not has_golden(directory):
        problem = f"it has no {GOLDEN}, so nothing tells whether it scores here as it did when it was published"
        raise GoldenFailed("model", str(directory), problem, "publish it again with this release")
    try:
        golden = msgspec.json.decode((directory / GOLDEN).read_bytes(), type=Golden)
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedVersion("model", str(directory / GOLDEN), str(error), FIX) from error
    largest, limit = 0.0, limit_of(scorer.backend)
    pairs = [Pair(answer.entity, answer.text) for answer in golden.answers]
    for answer, found in zip(golden.answers, _predictions(scorer, pairs), strict=True):
        expected, given = list(_numbers(answer)), list(_numbers(found))
        if [head for head, _ in expected] != [head for head, _ in given]:
            problem = f"it has {len(expected)} numbers for {answer.text[:40]!r}, and the model gives {len(given)}"
            raise DamagedVersion("model", str(directory / GOLDEN), problem, FIX)
        for (head, was), (_, now) in zip(expected, given, strict=True):
            if not abs(now - was) <= limit:  # a nan is no smaller than anything
                problem = f"{head} of {answer.text[:40]!r} is {now:.4f}, was {was:.4f} on {golden.backend}"
                raise GoldenFailed("model", str(directory), f"{problem} (limit {limit} on {scorer.backend})", FIX)
            largest = max(largest, abs(now - was))
    return largest


_HEADS = ("sentiment", "severity", "risk", "topic")


def _predictions(scorer: Scorer, pairs: Sequence[Pair]) -> list[Prediction]:
    rows = scorer.encode([(pair.entity, pair.text) for pair in pairs])
    return scorer.score([Encoded(Ticket(_LANE, 0, place), 0, row) for place, row in enumerate(rows)])


def _numbers(answer: Answer | Prediction) -> Iterator[tuple[str, float]]:
    """Every probability of an answer, with its head."""
    for head in _HEADS:
        yield from ((head, number) for number in getattr(answer, head))
    yield "risk_score", answer.risk_score
