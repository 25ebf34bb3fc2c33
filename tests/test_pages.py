"""The pages say what is so, as far as a machine can tell: commands, targets, files and tests that they name exist.

    ```sh blocks ──┬── riskstream …      parsed by the real command line
    `inline code` ─┤   make …            targets and variables of the Makefile
                   ├── python … pytest … modules and files that there are
                   └── tests/x.py::test  tests that there are

Links and anchors are checked by `make site`; kubectl and helm by tests/deploy/test_commands.py.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from tests.support.commands import command_of, parse

ROOT = Path(__file__).parent.parent
ELSEWHERE = ("README.md", "CONTRIBUTING.md", "models/README.md")
PAST = ("LOG.md",)
"""What was so once is not asked."""
PAGES = [*(ROOT / name for name in ELSEWHERE), *(p for p in (ROOT / "docs").rglob("*.md") if p.name not in PAST)]
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@functools.cache
def fenced() -> list[tuple[str, str]]:
    """Page and line of every command in a block of a shell, continued lines joined, comments and pipes cut off."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```(?:sh)?\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            found += [
                (name_of(page), re.split(r"\s[#|<>]|\s2>|&$", line.removeprefix("$ "))[0].strip()) for line in lines
            ]
    return found


@functools.cache
def inline() -> list[tuple[str, str]]:
    """Page and text of every command that stands in a sentence."""
    found = []
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        found += [(name_of(page), code) for code in re.findall(r"`([a-z][^`]*)`", text.replace("\n", " "))]
    return found


def name_of(page: Path) -> str:
    """A page as its path in the repository."""
    return page.relative_to(ROOT).as_posix()


def of(program: str, lines: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Page and words of the commands of one program, wherever it is installed."""
    mine = [(page, re.match(rf"(?:[\w./]*/bin/)?{program} (.+)", line)) for page, line in lines]
    return [(page, shlex.split(match[1])) for page, match in mine if match]


def unknown_options(words: list[str]) -> list[str]:
    """Options that the command of a sentence does not have. It may leave out what it needs."""
    command, rest = command_of(words)
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    return [word for word in rest if word.startswith("--") and word not in known | {"--version", "--help"}]


def unknown_to_make(words: list[str]) -> list[str]:
    """Targets and variables that the Makefile does not have."""
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    variables = re.findall(r"\$\((\w+)\)", MAKEFILE)
    given = [word.partition("=") for word in words]
    return [word for word, is_set, _ in given if word not in (variables if is_set else targets)]


def test_riskstream_understands_every_command_of_a_block() -> None:
    lines = of("riskstream", fenced())
    assert len(lines) >= 25
    wrong = {}
    for page, words in lines:
        try:
            parse([word for word in words if word != "…"] if words[-1] == "…" else words)
        except (click.ClickException, AssertionError) as error:
            wrong[f"{page}: {' '.join(words)}"] = str(getattr(error, "message", error))
    assert wrong == {}


def test_riskstream_has_every_command_and_option_of_a_sentence() -> None:
    lines = of("riskstream", inline())
    assert len(lines) >= 40
    assert {f"{page}: {' '.join(words)}": bad for page, words in lines if (bad := unknown_options(words))} == {}


def test_make_has_every_target_and_variable() -> None:
    lines = of("make", fenced() + inline())
    assert len(lines) >= 25
    assert {f"{page}: {' '.join(words)}": bad for page, words in lines if (bad := unknown_to_make(words))} == {}


def missing(words: list[str]) -> str:
    """What a call of Python or pytest names and there is not; empty where all is there."""
    if words[0] == "-m":
        return "" if importlib.util.find_spec(words[1]) else words[1]
    paths = [word for word in words if re.fullmatch(r"[\w./-]+(?:\.py|/[\w-]+)", word)]
    return next((path for path in paths if not (ROOT / path).exists()), "")


def test_every_program_that_python_is_asked_for_is_there() -> None:
    lines = [line for program in ("python", "pytest") for line in of(program, fenced() + inline())]
    lines = [
        (page, words)
        for page, words in lines
        if words[:2] != ["-m", "http.server"] and "-m venv" not in " ".join(words)
    ]
    assert len(lines) >= 8
    assert {f"{page}: {' '.join(words)}": bad for page, words in lines if (bad := missing(words))} == {}


def functions_of(file: str) -> set[str]:
    """The names of a file's functions."""
    return set(re.findall(r"^(?:async )?def (\w+)\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE))


def test_every_test_that_a_page_names_is_there() -> None:
    named = {
        (name_of(page), *found) for page in PAGES for found in NAMED_TEST.findall(page.read_text(encoding="utf-8"))
    }
    assert len(named) >= 40
    assert [(page, file, test) for page, file, test in sorted(named) if test not in functions_of(file)] == []


@pytest.mark.parametrize("wrong", ["models revert finrisk", "doctor --confg x", "models rollback", "publish a.jsonl"])
def test_a_command_that_is_wrong_would_be_told(wrong: str) -> None:
    with pytest.raises((click.ClickException, AssertionError)):
        parse(shlex.split(wrong))


def test_what_is_wrong_in_a_sentence_would_be_told() -> None:
    assert unknown_options(["replay", "--reprot", "x"]) == ["--reprot"]
    assert unknown_to_make(["tset", "ARGS=-x", "AGRS=-x"]) == ["tset", "AGRS"]
    assert missing(["-m", "bench.nothing"]) == "bench.nothing"
    assert missing(["dev/nothing.py"]) == "dev/nothing.py"
