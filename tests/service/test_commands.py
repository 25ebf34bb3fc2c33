"""The commands that need no broker, with the tiny model, whose scores mean nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.conftest import ROOT, Call

WATCHLIST = "config/watchlists/three-days.csv"
FEED = ROOT / "riskstream" / "packaged" / "three-days.jsonl"


def test_a_replay_gives_the_same_bytes_from_run_to_run_and_from_its_saved_signals(good: Call, tmp_path: Path) -> None:
    signals = tmp_path / "signals.jsonl"
    _, first, told = good("replay", FEED, "--watchlist", WATCHLIST, "--save-signals", signals)
    _, second, _ = good("replay", FEED, "--watchlist", WATCHLIST)
    _, third, _ = good("replay", "--watchlist", WATCHLIST, "--signals", signals)
    assert first
    assert first == second == third
    assert "400 documents (1 duplicate, 318 scored, 81 unwatched), 328 signals" in told
    assert len(signals.read_bytes().splitlines()) == 328


def test_a_replay_counts_what_it_cannot_read_and_goes_on(good: Call, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    lines = FEED.read_bytes().splitlines()[:80]
    _, plain, _ = good("replay", written(tmp_path, lines))
    feed.write_bytes(b"\n".join([b"{broken", *lines[:40], b"", b"[1]", *lines[40:], b"\xff", b"{}"]) + b"\n")
    _, broken, told = good("replay", feed)
    assert "4 rejected [" in told
    keys = ("subject", "rule", "state", "severity", "starts_at", "updated_at")
    assert [{k: json.loads(line)[k] for k in keys} for line in broken.splitlines()] == [
        {k: json.loads(line)[k] for k in keys} for line in plain.splitlines()
    ]


def written(folder: Path, lines: list[bytes]) -> Path:
    path = folder / "plain.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("replay",), "to replay"),
        (("replay", "none.jsonl"), "none.jsonl"),
        (("replay", str(FEED), "--feed", "nobody"), "choose one of: news, social"),
        (("replay", "--signals", str(FEED)), "line 1"),
        (("replay", str(FEED), "--rules", "none.toml"), "none.toml"),
        (("rules", "check", "tests/testdata/rules/rules.bad.unknown-field.toml"), "rules.bad.unknown-field.toml"),
        (("models", "verify", "nobody@1"), "nobody"),
        (("run", "--config", "none.toml"), "none.toml"),
        (("run", "--stage", "sleep"), "sleep"),
        (("publish", "none.jsonl", "--topic", "t"), "none.jsonl"),
        (("replay", str(FEED), "--save-signals", "/none/signals.jsonl"), "--save-signals = '/none/signals.jsonl'"),
        (("demo", "--port", "99999"), "99999"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(call: Call, arguments: tuple[str, ...], told: str) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert told in done.told
    assert "Traceback" not in done.told
    assert done.out == b""
    if not done.told.startswith("Usage: "):
        assert len(done.told.splitlines()) == 1


def test_score_answers_each_line_in_order(good: Call) -> None:
    lines = [
        b'{"text": "Acme files for bankruptcy", "entity": "Acme", "id": 1}',
        b"{broken",
        b'{"text": "   "}',
        b'{"text": 3, "id": "x"}',
        b'{"id": 7}',
        b"[]",
        b'{"text": 3, "id": "x"',
        b'{"text": 3, "id": [1]}',
        b'{"text": "Acme rallies", "entity": null, "id": 2}',
        b'{"text": "Acme \\u0000"}',
        '{"text": "阿克米违约", "entity": "阿克米", "id": "zh"}'.encode(),
    ]
    _, out, _ = good("score", stdin=b"\n".join(lines) + b"\n")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer.get("error", "scored") for answer in answers] == [
        "scored",
        "malformed",
        "empty_text",
        "wrong_type",
        "missing_field",
        "not_an_object",
        "malformed",
        "wrong_type",
        "scored",
        "bad_characters",
        "scored",
    ]
    assert [answer["id"] for answer in answers] == [1, None, None, "x", 7, None, None, None, 2, None, "zh"]
    assert answers[8]["entity"] == ""
    keys = ["id", "entity", "sentiment", "severity", "risk", "topic", "risk_score", "model"]
    assert list(answers[0]) == keys
    assert abs(sum(answers[0]["severity"].values()) - 1) < 0.001


def test_the_demo_tells_its_alerts_and_ends_by_itself(good: Call) -> None:
    _, out, told = good("demo", "--seconds", "1", "--port", "0")
    records = [json.loads(line) for line in out.splitlines()]
    lives: dict[str, list[tuple[int, str]]] = {}
    for record in records:
        lives.setdefault(record["alert_id"], []).append((record["sequence"], record["state"]))
    assert lives
    for life in lives.values():
        assert [sequence for sequence, _ in life] == list(range(1, len(life) + 1))
        assert life[0][1] == "firing"
        assert "resolved" not in [state for _, state in life[:-1]]
    assert "demo: 400 documents" in told


def test_the_demo_on_a_port_in_use_says_so(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("demo", "--port", str(port))
    assert done.code == 2
    assert done.told.startswith(f"riskstream: http.port = {port}: is in use")
    assert "Traceback" not in done.told


def test_saving_signals_over_what_is_replayed_loses_nothing(good: Call, tmp_path: Path) -> None:
    signals = tmp_path / "signals.jsonl"
    good("replay", FEED, "--save-signals", signals)
    before = signals.read_bytes()
    good("replay", "--signals", signals, "--save-signals", signals)
    assert signals.read_bytes() == before


STUBBORN = """
import asyncio, os, signal
from riskstream.cli import stop_on_signals

async def work():
    stop = stop_on_signals({grace_ms})
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.wait()
    print("draining", flush=True)
    if {again}:
        os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(60)

asyncio.run(work())
"""


@pytest.mark.parametrize(("grace_ms", "again"), [(45_000, True), (50, False)], ids=["second signal", "end of grace"])
def test_a_stop_that_does_not_end_is_cut(grace_ms: int, again: bool) -> None:
    script = STUBBORN.format(grace_ms=grace_ms, again=again)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, b"draining\n")
    assert b"stopped before everything was committed" in done.stderr


def test_the_version_and_the_help_are_there(good: Call) -> None:
    assert b"riskstream, version" in good("--version").out
    told = good("--help").out.decode()
    commands = ("run", "demo", "publish", "replay", "score", "train", "evaluate", "models", "rules", "topics", "doctor")
    assert [command for command in commands if f"  {command} " not in told] == []
