"""``refdp crosscheck``: refdp beside other tools on the same input."""

from __future__ import annotations

import click

from refdp.cli.lazy import LazyGroup

_COMMANDS = {
    "accountant": ("refdp.cli.crosscheck_accountant", "One ledger through every accountant there is.")
}


@click.group(cls=LazyGroup, members=_COMMANDS)
def crosscheck() -> None:
    """refdp beside other tools on the same input."""
