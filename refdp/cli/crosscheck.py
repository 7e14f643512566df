"""``refdp crosscheck``: refdp beside other tools on the same input."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "accountant": ("refdp.cli.crosscheck_accountant", "One ledger through every accountant there is.")
}


class _Lazy(click.Group):
    """Its commands are imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(_COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_Lazy)
def crosscheck() -> None:
    """refdp beside other tools on the same input."""
