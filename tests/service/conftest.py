"""Commands run as `main` runs them, in the test's own process, with the tiny model, whose scores mean nothing."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from riskstream.cli import main

ROOT = Path(__file__).parent.parent.parent


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: bytes
    told: str


Call = Callable[..., Done]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Run a command as `main` does, in this process: the model's libraries are imported once."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("RISKSTREAM_MODELS__NAME", "models/tiny/1")

    def run(*arguments: str | Path, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["riskstream", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        sys.stdout.flush()
        out, told = capfdbinary.readouterr()
        return Done(int(end.value.code or 0), out, told.decode())

    return run


@pytest.fixture
def good(call: Call) -> Call:
    """Run a command that ends well."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Done:
        done = call(*arguments, stdin=stdin)
        assert done.code == 0, done.told
        return done

    return run
