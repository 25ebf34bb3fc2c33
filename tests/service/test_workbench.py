"""What a replay finds beside its alerts, and the files that it reads: the commands, over saved signals."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from riskstream.service.commands import replay
from tests.core.signals import START_MS, make_signal
from tests.service.conftest import ROOT, Call
from tests.service.test_commands import WATCHLIST

RULES = """
[[rule]]
name = "shock"
field = "risk_score"
aggregate = "max"
window_s = 3600
limits = { watch = 0.3, material = 0.6, severe = 0.9 }
clear = 0.2
"""


@pytest.fixture
def desk(tmp_path: Path) -> Callable[[str], Path]:
    """Write a file of the desk: its rules, its watchlist, its saved signals or whatever a test names."""

    def write(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    write("rules.toml", RULES)
    write("watchlist.csv", "id,name,aliases,groups\nACME,ACME Corp,,\nZEUS,Zeus Ltd,,\n")
    saved = [("ACME", 0, 0.5), ("ZEUS", 60, 0.95), ("ACME", 120, 0.7), ("ACME", 9000, 0.1)]
    lines = [
        replay.save_line(
            make_signal(f"d{at}", at_s=at, entity=entity, risk_score=score, text=f"text {at}"), START_MS + 1000 * at
        )
        for entity, at, score in saved
    ]
    write("signals.jsonl", b"".join(lines))
    return write


def about(folder: Path) -> list[str | Path]:
    """The options that name the desk's files."""
    return [
        "replay", "--signals", folder / "signals.jsonl", "--rules", folder / "rules.toml",
        "--watchlist", folder / "watchlist.csv",
    ]  # fmt: skip


def test_a_report_changes_no_alert(good: Call, desk: object, tmp_path: Path) -> None:
    plain = good(*about(tmp_path))
    told = good(*about(tmp_path), "--report", tmp_path / "out.html")
    assert told.out == plain.out != b""
    page = (tmp_path / "out.html").read_text()
    assert "ACME Corp" in page and "Zeus Ltd" in page
    assert "4 signals" in told.told


def test_other_rules_are_compared_over_the_same_signals(good: Call, desk: Callable[..., Path], tmp_path: Path) -> None:
    other = desk("other.toml", RULES.replace("watch = 0.3, material = 0.6, ", ""))
    told = good(*about(tmp_path), "--compare", other).told
    assert "1 gained, 0 lost, 0 earlier, 0 later, 0 with another highest severity, 1 the same" in told


def test_signals_of_then_are_compared(good: Call, desk: Callable[..., Path], tmp_path: Path) -> None:
    then = [("ACME", 0, 0.2), ("ZEUS", 60, 0.95), ("ACME", 120, 0.61), ("ZEUS", 9000, 0.1)]
    lines = [
        replay.save_line(
            make_signal(f"d{at}", at_s=at, entity=entity, risk_score=score, text=f"text {at}", model="m@0"),
            START_MS + 1000 * at + 500,
        )
        for entity, at, score in then
    ]
    done = good(*about(tmp_path), "--compare", desk("then.jsonl", b"".join(lines)), "--report", tmp_path / "out.html")
    assert "0 gained, 0 lost, 1 earlier, 0 later, 0 with another highest severity, 1 the same" in done.told
    assert "3 signals then and now: risk_score differs by 0.1300 on average, 1 rise to 0.5" in done.told
    assert "1 only then, 1 only now" in done.told
    first = json.loads(done.out.splitlines()[0])
    assert first["updated_at"].endswith("00:00.500Z"), "what was told then comes when it came then"
    assert "Compared" in (tmp_path / "out.html").read_text()


def test_a_sweep_gives_a_line_a_value(good: Call, desk: Callable[..., Path], tmp_path: Path) -> None:
    stories = desk(
        "stories.json",
        json.dumps(
            {
                "stories": [
                    {
                        "story": "a",
                        "title": "Trouble at Zeus",
                        "entities": [{"name": "Zeus Ltd"}],
                        "items": ["d60"],
                        "first_alert": {"id": "d60", "severity": 1},
                    }
                ]
            }
        ),
    )
    done = good(*about(tmp_path), "--sweep", "shock.limits.watch=0.3:0.55:0.25", "--stories", stories)
    points = [json.loads(line) for line in done.out.splitlines()]
    assert [point["value"] for point in points] == [0.3, 0.55]
    assert [(point["alerts"], point["stories_caught"], point["strays"]) for point in points] == [(2, 1, 1), (2, 1, 1)]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--prices", "prices.csv"], "--prices"),
        (["--stories", "stories.json"], "--stories"),
        (["--compare", "gone.toml"], "--compare"),
        (["--sweep", "shock.limits.watch=1"], "--sweep"),
        (["--sweep", "shock.limits.watch=0.7:0.9:0.1"], "limits"),
        (["--report", "/nowhere/out.html"], "--report"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_written(
    call: Call,
    desk: object,
    tmp_path: Path,
    options: list[str],
    wrong: str,
) -> None:
    done = call(*about(tmp_path), *options)
    assert (done.code, done.out) == (2, b"")
    assert wrong in done.told and "Fix:" in done.told


def test_csv_and_parquet_are_read_as_the_same_documents(good: Call, tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    feed = ROOT / "riskstream" / "packaged" / "three-days.jsonl"
    rows = [json.loads(line) for line in feed.read_bytes().splitlines()[60:90]]
    rows = [{key: row[key] for key in ("id", "title", "text", "source", "published_at", "kind")} for row in rows]
    (tmp_path / "feed.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    with (tmp_path / "feed.csv").open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "feed.parquet")
    made = []
    for kind in ("jsonl", "csv", "parquet"):
        good(
            "replay", tmp_path / f"feed.{kind}", "--watchlist", WATCHLIST, "--save-signals", tmp_path / "signals.jsonl"
        )
        made.append((tmp_path / "signals.jsonl").read_bytes())
    assert made[0]
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("feed.csv", b"id,text\n1,\xff\xfe\n", "is not UTF-8"),
        ("feed.parquet", b"no parquet", "is not Parquet"),
        ("gone.csv", None, "cannot be read"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named(
    call: Call,
    tmp_path: Path,
    name: str,
    value: bytes | None,
    wrong: str,
) -> None:
    if value is not None:
        (tmp_path / name).write_bytes(value)
    done = call("replay", tmp_path / name)
    assert done.code == 2
    assert name in done.told and wrong in done.told
