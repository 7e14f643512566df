"""``refdp crosscheck``: refdp beside other tools on the same input."""

from __future__ import annotations

import click

from refdp.cli.lazy import LazyGroup

_COMMANDS = {
    "accountant": ("refdp.cli.crosscheck_accountant", "One ledger through every accountant there is."),
    "gradients": ("refdp.cli.crosscheck_gradients", "Per-sample gradients of each framework."),
    "step": ("refdp.cli.crosscheck_step", "A recorded training step, stage by stage."),
}


@click.group(cls=LazyGroup, members=_COMMANDS)
def crosscheck() -> None:
    """refdp beside other tools on the same input."""
