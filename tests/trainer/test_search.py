"""The search: what it may vary, and that it says which values were best."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from riskstream.core.errors import OperatorError
from riskstream.trainer.config import SearchConfig
from riskstream.trainer.versions.search import check_ranges, search
from tests.trainer.bases import small_run


@pytest.mark.parametrize(
    ("ranges", "says"),
    [
        ({"speed": [0.1, 0.2]}, "is no number of"),
        ({"precision": [0.1, 0.2]}, "is no number of"),
        ({"learning_rate": [0.2, 0.1]}, "is no range"),
        ({"learning_rate": [0.0, 0.1]}, "is no range"),
    ],
)
def test_a_range_that_cannot_be_tried_is_named(
    tmp_path: Path, ranges: dict[str, tuple[float, float]], says: str
) -> None:
    config = msgspec.structs.replace(small_run(tmp_path), search=SearchConfig(ranges))
    with pytest.raises(OperatorError, match=says):
        check_ranges(config)


def test_a_search_says_what_to_write(tmp_path: Path) -> None:
    small_run(tmp_path, fit={"epochs": 0.5}, search={"ranges": {"learning_rate": [0.001, 0.01]}, "minutes_max": 1.0})
    found = search(tmp_path / "train.toml", 2)
    assert found["metric"] == "mean" and len(found["trials"]) == 2
    assert found["best"] == max(trial["value"] for trial in found["trials"])
    assert 0.001 <= found["fit"]["learning_rate"] <= 0.01
    assert not list((tmp_path / "cache").rglob("*.safetensors")), "a trial leaves nothing behind"
