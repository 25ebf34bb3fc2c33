"""Known mistakes, put into a copy of the tree, are found: the simulator can fail."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from tests.chaos.mutants import MUTANTS, Mutant, find

QUICK = [mutant for mutant in MUTANTS if not mutant.needs_broker]


def test_the_list_holds_the_known_mistakes() -> None:
    assert {mutant.name for mutant in MUTANTS} >= {
        "futures-not-awaited",
        "no-fence",
        "offset-before-the-fence",
        "offset-off-by-one",
        "restored-state-dropped",
        "no-ownership-check",
    }


@pytest.mark.parametrize("mutant", QUICK, ids=lambda mutant: mutant.name)
def test_a_mistake_is_found(mutant: Mutant, tmp_path: Path) -> None:
    assert find(mutant, tmp_path) == ""


@pytest.mark.broker
@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.needs_broker], ids=lambda mutant: mutant.name)
def test_a_mistake_in_what_is_said_to_the_broker_is_found(mutant: Mutant, tmp_path: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("Java is not installed")
    assert find(mutant, tmp_path) == ""


def test_a_mutant_that_changes_nothing_lives(tmp_path: Path) -> None:
    harmless = msgspec.structs.replace(
        QUICK[0], old='"""A stage: a member', new='"""A stage: one member', command=("-V",)
    )
    assert find(harmless, tmp_path) == "it lives"


def test_a_mutant_whose_place_is_gone_says_so(tmp_path: Path) -> None:
    lost = msgspec.structs.replace(QUICK[0], old="nowhere to be found")
    assert "mend the mutant" in find(lost, tmp_path)
