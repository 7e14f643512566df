"""``refdp audit``: is a claimed epsilon true?"""

from __future__ import annotations

import importlib

import click

_COMMANDS = {"claim": ("refdp.cli.audit_claim", "Recompute a claimed epsilon from what was really run.")}


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
def audit() -> None:
    """Audits: is a claimed epsilon true?"""
