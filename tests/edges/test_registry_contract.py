"""One suite for both edges of the store: what is published, pointed to, moved back and fetched."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from riskstream.core.errors import DamagedVersion, MissingVersion, OperatorError, RegistryUnreachable
from riskstream.registry import store
from riskstream.registry.port import Store, natural
from riskstream.registry.url import CACHED_MAX, Url
from tests.support.brokers import fresh

Finished = Callable[..., Path]


@pytest.fixture(params=["directory", "file", "memory"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    root = {
        "directory": str(tmp_path / "models"),
        "file": f"file://{tmp_path}/models",
        "memory": f"memory://{fresh('models')}",
    }[request.param]
    return store.opened(root, tmp_path / "cache")


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    """Writes a directory that is ready to be published."""

    def write(content: str = "weights", **lies: str) -> Path:
        directory = tmp_path / fresh("finished")
        directory.mkdir()
        (directory / "weights").write_text(content)
        files = {"weights": hashlib.sha256(content.encode()).hexdigest(), **lies}
        (directory / "manifest.json").write_text(json.dumps({"files": files}))
        return directory

    return write


def publish(shelf: Store, finished: Finished, *versions: str) -> None:
    for version in versions:
        store.publish(shelf, finished(f"weights of {version}"), "finrisk", version)


def test_what_is_published_is_fetched_byte_by_byte(shelf: Store, finished: Finished) -> None:
    publish(shelf, finished, "1", "2")
    for version in ("1", "2"):
        directory = store.resolve(shelf, f"finrisk@{version}")
        assert (directory / "weights").read_text() == f"weights of {version}"
        assert store.resolve(shelf, f"finrisk@{version}") == directory, "a second time it is where it was"


def test_versions_are_in_natural_order(shelf: Store, finished: Finished) -> None:
    publish(shelf, finished, "10", "2", "1.10", "1.9")
    assert [item.version for item in store.versions(shelf)] == ["1.9", "1.10", "2", "10"]
    assert sorted(["v10", "v9", "a", "10", "9"], key=natural) == ["a", "v9", "v10", "9", "10"]


def test_a_version_is_never_written_again(shelf: Store, finished: Finished) -> None:
    publish(shelf, finished, "1")
    with pytest.raises(OperatorError, match="never overwritten"):
        store.publish(shelf, finished("other"), "finrisk", "1")
    assert (store.resolve(shelf, "finrisk@1") / "weights").read_text() == "weights of 1"


@pytest.mark.parametrize(
    ("name", "version"), [("../x", "1"), ("finrisk", "../1"), ("finrisk", "champion"), ("", "1"), ("finrisk", "1.part")]
)
def test_a_name_that_leads_elsewhere_is_not_published(
    shelf: Store, finished: Finished, name: str, version: str
) -> None:
    with pytest.raises(OperatorError, match="is no name of a"):
        store.publish(shelf, finished(), name, version)


@pytest.mark.parametrize("file", ["../weights", "/etc/passwd", "a/b", "manifest.json", ".hidden"])
def test_a_manifest_that_names_a_file_elsewhere_is_refused(shelf: Store, finished: Finished, file: str) -> None:
    with pytest.raises(DamagedVersion, match="no plain name"):
        store.publish(shelf, finished(**{file: "0"}), "finrisk", "1")


def test_a_directory_whose_files_are_not_as_its_manifest_says_is_not_published(
    shelf: Store, finished: Finished
) -> None:
    for lies, told in (({"weights": "00"}, "sha256"), ({"more": "00"}, "missing")):
        with pytest.raises(DamagedVersion, match=told):
            store.publish(shelf, finished(**lies), "finrisk", "1")
    assert shelf.versions("finrisk") == []


def test_a_version_without_a_manifest_is_not_there(tmp_path: Path, finished: Finished) -> None:
    address = fresh("half")
    files = fsspec.filesystem("memory")
    files.pipe_file(f"/{address}/finrisk/1/weights", b"half")
    shelf = store.opened(f"memory://{address}", tmp_path / "cache")
    assert (shelf.names(), shelf.versions("finrisk")) == ([], [])
    with pytest.raises(MissingVersion):
        shelf.fetch("finrisk", "1")
    store.publish(shelf, finished("whole"), "finrisk", "1")  # a publication that died half-way may be done again
    assert (shelf.fetch("finrisk", "1") / "weights").read_text() == "whole"


MOVES = [
    ("p1 p2", "2", "1"),
    ("p1 p2 p3", "3", "2"),
    ("p1 p2 p3 back", "2", "1"),  # twice: one further back, never forward again
    ("p1 p2 p3 back back", "1", ""),
    ("p1 p2 back p3", "3", "1"),  # what was taken back is not where back is
    ("p1 p2 p2", "2", "1"),  # promoting the champion moves nothing
    ("p1", "1", ""),
    ("p1 hand2", "2", "1"),  # moved by hand: back is where the history last put it
    ("p1 p2 hand3", "3", "2"),
]


@pytest.mark.parametrize(("moves", "champion", "back"), MOVES)
def test_a_rollback_knows_where_back_is(shelf: Store, finished: Finished, moves: str, champion: str, back: str) -> None:
    publish(shelf, finished, "1", "2", "3")
    for move in moves.split():
        if move == "back":
            store.rollback(shelf, "finrisk")
        elif move.startswith("hand"):
            shelf.write("finrisk", "champion", move[4:].encode())
        else:
            assert store.promote(shelf, f"finrisk@{move[1:]}") == ("finrisk", move[1:])
    assert store.read_alias(shelf, "finrisk", "champion") == champion
    if back:
        assert store.rollback(shelf, "finrisk") == (champion, back)
        assert store.read_alias(shelf, "finrisk", "champion") == back
    else:
        with pytest.raises(OperatorError, match="no version was champion before"):
            store.rollback(shelf, "finrisk")


def test_a_move_that_was_noted_and_not_made_did_not_happen(shelf: Store, finished: Finished) -> None:
    publish(shelf, finished, "1", "2", "3")
    store.promote(shelf, "finrisk@1")
    store.promote(shelf, "finrisk@2")
    noted = shelf.read("finrisk", "history.jsonl") or b""
    lost = b'{"alias":"champion","before":"2","after":"3","at":"2026-03-09T00:00:00.000Z"}\n'
    shelf.write("finrisk", "history.jsonl", noted + lost)
    assert store.rollback(shelf, "finrisk") == ("2", "1")


def test_candidate_is_promoted_and_its_own_moves_are_no_way_back(shelf: Store, finished: Finished) -> None:
    publish(shelf, finished, "1", "2", "3")
    store.promote(shelf, "finrisk@1")
    for version in ("3", "2"):
        store.set_alias(shelf, "finrisk", store.CANDIDATE, version)
    assert store.promote(shelf, "finrisk@candidate") == ("finrisk", "2")
    assert store.rollback(shelf, "finrisk") == ("2", "1")


def test_the_history_is_bounded(shelf: Store, finished: Finished) -> None:
    publish(shelf, finished, "1", "2")
    for number in range(store.MOVES_MAX + 5):
        store.set_alias(shelf, "finrisk", store.CHAMPION, str(1 + number % 2))
    assert len(store.history(shelf, "finrisk")) == store.MOVES_MAX
    assert store.rollback(shelf, "finrisk")[1] in ("1", "2")


def test_a_damaged_version_does_not_become_champion(tmp_path: Path, finished: Finished) -> None:
    for root in (str(tmp_path / "a"), f"file://{tmp_path}/b"):
        shelf = store.opened(root, tmp_path / "cache")
        publish(shelf, finished, "1", "2")
        store.promote(shelf, "finrisk@1")
        (Path(root.removeprefix("file://")) / "finrisk" / "2" / "weights").write_text("WEIGHTS of 2")
        with pytest.raises(DamagedVersion, match="sha256"):
            store.promote(shelf, "finrisk@2")
        assert store.read_alias(shelf, "finrisk", "champion") == "1"


def test_a_stamp_changes_with_a_file_and_with_nothing_else(shelf: Store, finished: Finished) -> None:
    publish(shelf, finished, "1")
    store.promote(shelf, "finrisk@1")
    before = store.pinned(shelf, "finrisk@champion")
    assert store.pinned(shelf, "finrisk") == before
    assert before.title == "finrisk@1"
    shelf.write("finrisk/1", "weights", b"longer than it was")
    assert store.pinned(shelf, "finrisk") != before


@pytest.mark.parametrize(
    ("reference", "follows"),
    [("finrisk", True), ("finrisk@champion", True), ("finrisk@candidate", True), ("finrisk@1", False)],
)
def test_only_an_alias_is_followed(reference: str, follows: bool, finished: Finished) -> None:
    assert store.follows(reference) is follows
    assert not store.follows(str(finished()))


def test_a_damaged_copy_in_the_cache_is_fetched_anew(tmp_path: Path, finished: Finished) -> None:
    shelf = store.opened(f"memory://{fresh('models')}", tmp_path / "cache")
    publish(shelf, finished, "1")
    kept = shelf.fetch("finrisk", "1")
    (kept / "weights").write_text("rot")
    assert (shelf.fetch("finrisk", "1") / "weights").read_text() == "weights of 1"


def test_a_download_that_fails_leaves_nothing_behind(tmp_path: Path, finished: Finished) -> None:
    address = fresh("models")
    shelf = store.opened(f"memory://{address}", tmp_path / "cache")
    publish(shelf, finished, "1")
    files = fsspec.filesystem("memory")
    files.pipe_file(f"/{address}/finrisk/1/weights", b"cut")
    with pytest.raises(DamagedVersion, match="sha256"):
        shelf.fetch("finrisk", "1")
    files.rm_file(f"/{address}/finrisk/1/weights")
    with pytest.raises(DamagedVersion, match="missing"):
        shelf.fetch("finrisk", "1")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_cache_keeps_the_versions_used_last_and_no_old_remains(tmp_path: Path, finished: Finished) -> None:
    shelf = store.opened(f"memory://{fresh('models')}", tmp_path / "cache")
    versions = [str(number) for number in range(1, CACHED_MAX + 3)]
    publish(shelf, finished, *versions)
    remains = tmp_path / "cache" / ".x.part"
    remains.mkdir(parents=True)
    os.utime(remains, (1, 1))
    for age, version in enumerate(versions):
        kept = shelf.fetch("finrisk", version)
        os.utime(kept, (1_000 + age, 1_000 + age))
    names = sorted(path.name.split("-")[1] for path in (tmp_path / "cache").iterdir())
    assert names == versions[-CACHED_MAX:]


def test_a_store_that_cannot_be_asked_says_so(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"models\.root.*plugin"):
        store.opened("nosuchscheme://bucket/models", tmp_path)

    class Broken(fsspec.AbstractFileSystem):  # type: ignore[misc]
        """A network that is down."""

        protocol = "broken"

        def ls(self, path: str, detail: bool = True, **_: object) -> list[object]:
            raise TimeoutError("no route")

        def cat_file(self, path: str, **_: object) -> bytes:
            raise TimeoutError("no route")

    fsspec.register_implementation("broken", Broken, clobber=True)
    shelf = Url("broken://bucket/models", tmp_path)
    with pytest.raises(RegistryUnreachable, match="no route"):
        store.pinned(shelf, "finrisk@champion")
    with pytest.raises(RegistryUnreachable, match="no route"):
        store.versions(shelf)
