"""Golden pairs: a version that scores here as where it was published passes, any other does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from riskstream.core.errors import DamagedVersion, GoldenFailed
from riskstream.core.records import Encoded, Prediction
from riskstream.scoring.golden import GOLDEN, check_golden, golden_pairs, has_golden, limit_of, write_golden
from riskstream.scoring.manifest import read_manifest, verify
from riskstream.scoring.plain import ConstantScorer
from riskstream.scoring.torch_backend import TorchScorer
from tests.support import versions

ROOT = Path(__file__).parent.parent.parent
TINY = ROOT / "models" / "tiny" / "1"


def han(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


def test_the_pairs_are_of_both_languages_with_and_without_an_entity_and_of_many_lengths() -> None:
    pairs = golden_pairs()
    assert len(pairs) == len(set(pairs)) == 24
    assert sum(han(pair.text) for pair in pairs) >= 8
    assert any(not pair.entity for pair in pairs)
    texts = [pair.text for pair in pairs]
    assert len(set(texts)) < len(texts), "one text with two entities"
    assert max(map(len, texts)) > 400
    assert all(pair.entity in pair.text or pair.text.startswith("$") for pair in pairs)


def test_a_version_scores_as_it_did_and_its_hashes_cover_that() -> None:
    assert check_golden(TorchScorer.load(TINY, device="cpu"), TINY) < 1e-5
    manifest = read_manifest(TINY)
    verify(TINY, manifest)
    assert has_golden(TINY)
    assert GOLDEN in manifest.files


@pytest.mark.parametrize(("by", "passes"), [(0.0, True), (0.0015, True), (0.0025, False), (-0.0025, False)])
def test_a_difference_within_the_limit_passes(tmp_path: Path, by: float, passes: bool) -> None:
    versions.other_scores(tmp_path, "1", by)
    directory = tmp_path / "tiny" / "1"
    scorer = TorchScorer.load(directory, device="cpu")
    if passes:
        assert check_golden(scorer, directory) == pytest.approx(abs(by), abs=1e-4)
    else:
        with pytest.raises(GoldenFailed, match=r"risk_score of .*limit 0\.002"):
            check_golden(scorer, directory)


@pytest.mark.parametrize(
    ("backend", "limit"),
    [("torch cpu float32", 0.002), ("torch cuda bfloat16", 0.02), ("openvino cpu int8", 0.2), ("some new one", 0.002)],
)
def test_the_limit_is_the_precisions(backend: str, limit: float) -> None:
    assert limit_of(backend) == limit


class Nan(ConstantScorer):
    """Gives no number for the third text of a batch."""

    def score(self, batch: Sequence[Encoded]) -> list[Prediction]:
        found = super().score(batch)
        found[2] = msgspec.structs.replace(found[2], topic=(float("nan"), *found[2].topic[1:]))
        return found


def test_what_is_not_finite_neither_passes_nor_is_published(tmp_path: Path) -> None:
    versions.good(tmp_path, "1")
    directory = tmp_path / "tiny" / "1"
    write_golden(ConstantScorer(), directory)
    assert check_golden(ConstantScorer(), directory) < 1e-5
    with pytest.raises(GoldenFailed, match="topic"):
        check_golden(Nan(), directory)
    with pytest.raises(GoldenFailed, match="no number"):
        write_golden(Nan(), directory)


def test_other_weights_with_these_answers_fail(tmp_path: Path) -> None:
    versions.good(tmp_path, "3")
    with pytest.raises(GoldenFailed):
        check_golden(TorchScorer.load(TINY, device="cpu"), tmp_path / "tiny" / "3")


def test_answers_that_are_missing_or_unreadable_are_told(tmp_path: Path) -> None:
    versions.without_golden(tmp_path, "1")
    directory = tmp_path / "tiny" / "1"
    with pytest.raises(GoldenFailed, match="publish it again"):
        check_golden(ConstantScorer(), directory)
    versions.good(tmp_path, "2")
    (tmp_path / "tiny" / "2" / GOLDEN).write_text("{")
    with pytest.raises(DamagedVersion):
        check_golden(ConstantScorer(), tmp_path / "tiny" / "2")
