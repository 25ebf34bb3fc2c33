"""`riskstream rules test`: the cases beside the rules, run and told. Exit code 0 where all hold, else 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from riskstream.core.errors import OperatorError
from riskstream.core.watching.cases import CaseFile, check_cases
from riskstream.core.watching.casework import Outcome, run_cases
from riskstream.service.stages import files


def run_files(paths: Sequence[Path]) -> int:
    """Run every case and tell what became of each. Raises OperatorError where a file cannot be run."""
    failed = count = 0
    for file in [file for path in paths for file in case_files(path)]:
        for outcome in run_file(file):
            count, failed = count + 1, failed + bool(outcome.wrong)
            click.echo(f"{file}: {outcome.case}: {'FAILED' if outcome.wrong else 'ok'}")
            for line in outcome.wrong:
                click.echo(f"    {line}")
    click.echo(f"{count} {'case' if count == 1 else 'cases'}, {failed or 'none'} failed")
    return 1 if failed else 0


def case_files(path: Path) -> list[Path]:
    """The file, or every test file of a directory."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob(f"*{files.CASES_SUFFIX}"))
    if not found:
        raise OperatorError("file", str(path), "is a directory without tests", f"put *{files.CASES_SUFFIX} into it")
    return found


def run_file(file: Path) -> list[Outcome]:
    """What became of each case of a file."""
    found = _read(file)
    rules = files.load_rules(file.parent / found.rules, f"{file}: rules")
    named = f"{file}: watchlist"
    watchlist = files.load_watchlist(file.parent / found.watchlist, named) if found.watchlist else {}
    return run_cases(found.cases, rules, watchlist)


def _read(file: Path) -> CaseFile:
    found, mistakes = check_cases(files.read_text("file", file), str(file))
    for mistake in mistakes[:-1]:
        click.echo(f"riskstream: {mistake}", err=True)
    if mistakes:
        raise mistakes[-1]
    return found
