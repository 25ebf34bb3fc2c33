"""`riskstream rules check` and `rules test`, as a person or a pipeline calls them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from riskstream.cli import main

ROOT = Path(__file__).parents[2]
RULE = '[[rule]]\nname = "r"\nfield = "risk_score"\naggregate = "max"\nwindow_s = 60\nlimit = 0.5\n'
CASES = (
    'rules = "%s"\n[[case]]\nname = "it fires"\nsignals = [{ at_s = 1, entity = "A", risk_score = %s }]\n'
    'alerts = [{ at_s = 1, rule = "r" }]\n'
)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command as `main` does: (exit code, stdout, stderr)."""
    monkeypatch.chdir(ROOT)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["riskstream", "rules", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, told = capsys.readouterr()
        return int(end.value.code or 0), out, told

    return run


def test_every_test_of_rules_that_ships_holds(call) -> None:
    files = sorted((ROOT / "config").rglob("*.test.toml"))
    assert files
    code, out, _ = call("test", *files)
    assert (code, "none failed" in out) == (0, True), out


def test_a_case_that_fails_is_exit_code_1_and_told(call, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULE)
    (tmp_path / "good.test.toml").write_text(CASES % ("rules.toml", 0.9))
    assert call("test", tmp_path / "good.test.toml")[0] == 0
    (tmp_path / "bad.test.toml").write_text(CASES % ("rules.toml", 0.1))
    code, out, _ = call("test", tmp_path)
    assert code == 1
    lines = out.splitlines()
    assert lines[0].endswith("bad.test.toml: it fires: FAILED")
    assert (lines[1], lines[-1]) == ('    did not come: at_s = 1, rule = "r"', "2 cases, 1 failed")


def test_a_mistake_in_a_case_file_is_exit_code_2(call, tmp_path: Path) -> None:
    (tmp_path / "x.test.toml").write_text(CASES % ("nowhere.toml", 0.9))
    code, _, told = call("test", tmp_path / "x.test.toml")
    assert (code, "nowhere.toml" in told) == (2, True)
    (tmp_path / "x.test.toml").write_text('rules = "rules.toml"\n[[case]]\nname = "x"\nsignal = []\n')
    code, _, told = call("test", tmp_path / "x.test.toml")
    assert (code, "did you mean 'signals'?" in told) == (2, True)


def test_a_directory_of_rules_is_one_set_and_its_tests_are_none_of_it(call, tmp_path: Path) -> None:
    assert call("check", tmp_path)[0] == 2
    (tmp_path / "one.toml").write_text(RULE)
    (tmp_path / "two.toml").write_text(RULE.replace('"r"', '"s"'))
    (tmp_path / "it.test.toml").write_text(CASES % (".", 0.9))
    code, out, _ = call("check", tmp_path)
    assert (code, out) == (0, f"{tmp_path}: 2 rules, all sound\n")
    assert call("test", tmp_path)[0] == 1, "the second rule fires too"


def test_every_planted_mistake_is_told(call) -> None:
    code, _, told = call("check", "tests/testdata/rules/rules.planted.twenty.toml")
    assert (code, len(told.splitlines())) == (2, 20)
