"""`docs/commands.md`: every command with its arguments and options, as click knows them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from riskstream.cli import cli

HEAD = """\
# Commands

Written by `make docs` from the command line itself; a test holds the two together. `-h` says the same on a terminal.

stdout is data, stderr is talk; long work shows its progress on a terminal and none in a pipe. Exit codes: 0 done; 2 the
operator's mistake, told in one line with the setting, its value and the fix; 1 a fault of ours. `rules test` ends with
1 where a case fails.
"""


def text() -> str:
    """The whole page."""
    root = click.Context(cli, info_name="riskstream")
    return HEAD + "".join(_told(context) for context in _commands(root))


def _commands(context: click.Context) -> Iterator[click.Context]:
    """The context of every command that does something, by name."""
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from _commands(click.Context(command, context, info_name=name))
    else:
        yield context


def _told(context: click.Context) -> str:
    usage = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
    lines = [f"\n## `{context.command_path}`\n", " ".join((context.command.help or "").split()), f"\n    {usage}\n"]
    options = [option for option in context.command.params if isinstance(option, click.Option)]
    if options:
        lines += ["| option | default | what it does |", "| --- | --- | --- |"]
        lines += [_row(option, context) for option in options]
    return "\n".join(lines).rstrip() + "\n"


def _row(option: click.Option, context: click.Context) -> str:
    names = "/".join(option.opts + option.secondary_opts)
    value = "" if option.is_flag else " " + option.make_metavar(context).removesuffix(" RANGE")
    named = f"{names}{value}".replace("|", ", ")
    shown = option.default if option.show_default else None
    default = "must be given" if option.required else "" if shown is None else f"`{shown}`"
    told = " ".join((option.help or "").replace("<", "&lt;").split())
    return f"| `{named}` | {default} | {told} |"
