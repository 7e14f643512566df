"""``refdp calibrate``: the least noise that keeps a target epsilon."""

from __future__ import annotations

from typing import Any

import click

from refdp.accounting import ACCOUNTANTS, calibrate_scale
from refdp.cli.epsilon import describe
from refdp.cli.ledger_flags import RunFlags, ledger_family, run_flags
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import DELTA, POSITIVE
from refdp.config import parse_schedule
from refdp.errors import RefDPError
from refdp.report import bounds_to_json


@click.command()
@click.option(
    "--target-epsilon", type=POSITIVE, required=True, help="The budget; the answer never exceeds it."
)
@run_flags
@click.option("--delta", type=DELTA, default=1e-5, show_default=True)
@click.option("--accountant", type=click.Choice(ACCOUNTANTS), default="all", show_default=True)
@output_options
def calibrate(
    target_epsilon: float, delta: float, accountant: str, as_json: bool, quiet: bool, **flags: Any
) -> int:
    """Smallest noise multiplier (or schedule scale) whose UPPER bound is at most the target.

    \b
    refdp calibrate --target-epsilon 3 --batch-size 256 --dataset-size 60000 --epochs 5
    refdp calibrate --target-epsilon 3 --sample-rate 0.01 --steps 1000 --schedule cosine:amplitude=0.25
    """
    output = Output(as_json, quiet)
    run = RunFlags(**flags)
    family, steps = ledger_family(run)
    if not steps or run.sample_rate == 0:
        raise RefDPError("--steps, --sample-rate: nothing is released, so there is no noise to calibrate")
    if run.epochs is not None and run.sampling == "poisson":
        output.say(f"{run.epochs} epochs = {steps} steps")
    found = calibrate_scale(family, target_epsilon, delta, accountant)
    name = "noise_multiplier" if parse_schedule(run.schedule, 1, 1.0).kind == "constant" else "scale"
    document: dict[str, Any] = {
        "schema": "refdp-calibration/1",
        name: found.noise_multiplier,
        "target_epsilon": target_epsilon,
        "slack": found.slack,
        **{k: v for k, v in bounds_to_json(found.epsilon).items() if k != "schema"},
    }
    text = f"{name.replace('_', ' ')} = {found.noise_multiplier!r}\n{describe(found.epsilon)}"
    output.answer(
        document, f"{text}\n  slack        {found.slack:.3g}   left of the target {target_epsilon:g}"
    )
    return 0
