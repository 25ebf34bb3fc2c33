"""Command lines that pages show, read by the real command line without running them."""

from __future__ import annotations

import click

from riskstream.cli import cli


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that these words name, and what follows it."""
    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, f"{rest[0]} is no command of riskstream"
        command = found
        rest.pop(0)
    return command, rest


def parse(words: list[str]) -> None:
    """Let click read a whole command line, without running it."""
    command, rest = command_of(words)
    if rest not in (["--version"], ["--help"], ["-h"]):
        command.make_context(command.name, rest)
