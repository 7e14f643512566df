"""``refdp delta``: the other way round, delta of a run or a ledger at epsilon."""

from __future__ import annotations

from typing import Any

import click

from refdp.accounting import delta as delta_of
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import NON_NEGATIVE
from refdp.cli.query import describe, query_options, question
from refdp.report import bounds_to_json


@click.command()
@click.option("--epsilon", type=NON_NEGATIVE, required=True, help="Where delta is asked for.")
@query_options
@output_options
def delta(epsilon: float, as_json: bool, quiet: bool, plot: str | None, **options: Any) -> int:
    """Delta of a run or a ledger at epsilon, as bounds from both sides.

    \b
    refdp delta --epsilon 3 --noise-multiplier 1.1 --batch-size 256 --dataset-size 60000 --epochs 20
    """
    output = Output(as_json, quiet)
    asked = question(output, **options)
    bounds = delta_of(asked.ledger, epsilon, asked.accountant, **asked.options)
    document = bounds_to_json(bounds)
    if asked.steps is not None:
        document["steps"] = asked.steps
    if plot is not None:
        from refdp.cli.picture import draw_curve

        draw_curve(plot, asked, bounds)
        output.say(f"privacy curve in {plot}")
    output.answer(document, describe(bounds))
    return 0
