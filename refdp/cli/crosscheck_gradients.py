"""``refdp crosscheck gradients``: per-sample gradients of every framework that is installed, beside refdp's."""

from __future__ import annotations

from typing import Any

import click

from refdp.cli.crosscheck_live import Asked, answer, live_options
from refdp.cli.output import Output, output_options


@click.command()
@live_options
@output_options
def gradients(as_json: bool, quiet: bool, **flags: Any) -> int:
    """Same weights, same batch, same loss through refdp and each framework: gradients, norms and clipped sum.

    Exit code 4 if a framework's differ.

    \b
    refdp crosscheck gradients --model all --peer opacus=/opt/opacus/bin/python --peer torch=/opt/opacus/bin/python
    refdp crosscheck gradients --module mine.py:Net --input-shape 28,28,1
    """
    return answer(Output(as_json, quiet), Asked(**flags))
