"""The store of model versions: what a reference means, and what is said when it means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskstream.core.errors import OperatorError
from riskstream.registry import store


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, version in (("finrisk", "1"), ("finrisk", "2"), ("tiny", "1")):
        directory = tmp_path / name / version
        directory.mkdir(parents=True)
        (directory / "manifest.json").write_text("{}")
    (tmp_path / "finrisk" / "champion").write_text("2\n")
    (tmp_path / "finrisk" / "half").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("reference", "means"),
    [
        ("finrisk@champion", "finrisk/2"),
        ("finrisk", "finrisk/2"),  # the champion is what a bare name means
        ("finrisk@1", "finrisk/1"),
        ("tiny@1", "tiny/1"),
    ],
)
def test_a_reference_means_a_directory(root: Path, reference: str, means: str) -> None:
    assert store.resolve(root, reference) == root / means


def test_a_path_means_itself(root: Path) -> None:
    assert store.resolve("elsewhere", str(root / "tiny" / "1")) == root / "tiny" / "1"


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("finrisk@3", "choose one of: finrisk@1, finrisk@2"),
        ("finrisk@candidate", "there is no"),
        ("finrisk@half", "not in"),  # a directory without a manifest is no version
        ("other@1", "choose one of: finrisk@1, finrisk@2, tiny@1"),
        ("tiny", "there is no"),
        ("../tiny@1", "neither a version's directory"),
        ("finrisk@../tiny/1", "neither a version's directory"),
        ("", "neither a version's directory"),
    ],
)
def test_a_reference_to_nothing_says_what_there_is(root: Path, reference: str, says: str) -> None:
    with pytest.raises(OperatorError) as caught:
        store.resolve(root, reference)
    assert says in str(caught.value)


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    for call in (lambda: store.resolve(tmp_path / "no", "a@1"), lambda: store.versions(tmp_path / "no")):
        with pytest.raises(OperatorError, match="no"):
            call()


def test_an_alias_is_replaced_and_listed(root: Path) -> None:
    store.set_alias(root, "finrisk", store.CANDIDATE, "1")
    store.set_alias(root, "finrisk", store.CHAMPION, "1")
    assert store.read_alias(root, "finrisk", store.CHAMPION) == "1"
    listed = [(item.name, item.version, item.aliases) for item in store.versions(root)]
    assert listed == [("finrisk", "1", ("champion", "candidate")), ("finrisk", "2", ()), ("tiny", "1", ())]
    assert sorted(path.name for path in (root / "finrisk").iterdir()) == [
        *("1", "2", "candidate", "champion", "half", "history.jsonl")
    ]


@pytest.mark.parametrize(("alias", "version"), [("winner", "1"), ("champion", "9")])
def test_an_alias_points_to_what_exists(root: Path, alias: str, version: str) -> None:
    with pytest.raises(OperatorError):
        store.set_alias(root, "finrisk", alias, version)
    assert store.read_alias(root, "finrisk", "champion") == "2"


def test_an_alias_with_rubbish_in_it_is_refused(root: Path) -> None:
    (root / "finrisk" / "champion").write_text("../../etc")
    with pytest.raises(OperatorError, match="its content is"):
        store.resolve(root, "finrisk@champion")
