"""``refdp calibrate``: the least noise that keeps a target epsilon, or the most that may be run at given noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import click

from refdp.accounting import (
    ACCOUNTANTS,
    Calibration,
    Ledger,
    calibrate_delta,
    calibrate_sample_rate,
    calibrate_scale,
    calibrate_steps,
)
from refdp.accounting.calibrate_run import MOST_SCHEDULED, MOST_STEPS
from refdp.cli.ledger_flags import Family, ledger_family
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import DELTA, NON_NEGATIVE, POSITIVE
from refdp.cli.query import describe, say_steps
from refdp.cli.run_flags import RunFlags, run_flags
from refdp.errors import RefDPError
from refdp.figures import upper_figure
from refdp.report import bounds_to_json

SOLVE_FOR = ("noise-multiplier", "scale", "steps", "sample-rate", "delta")


@click.command()
@click.option(
    "--target-epsilon", type=POSITIVE, required=True, help="The budget; the answer never exceeds it."
)
@click.option(
    "--solve-for",
    type=click.Choice(SOLVE_FOR),
    default=None,
    help="What to find [default: noise-multiplier, which is a schedule's scale where there is one].",
)
@click.option(
    "--noise-multiplier", type=NON_NEGATIVE, help="Given noise, to solve for steps, sample-rate or delta."
)
@run_flags
@click.option("--delta", type=DELTA, default=None, help="[default: 1e-05]")
@click.option("--accountant", type=click.Choice(ACCOUNTANTS), default="all", show_default=True)
@output_options
def calibrate(
    target_epsilon: float,
    solve_for: str | None,
    noise_multiplier: float | None,
    delta: float | None,
    accountant: str,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> int:
    """Smallest noise multiplier (or schedule scale) whose UPPER bound is at most the target.

    With --solve-for: the most steps or the largest sample rate at a given --noise-multiplier, or the smallest delta.

    \b
    refdp calibrate --target-epsilon 3 --batch-size 256 --dataset-size 60000 --epochs 5
    refdp calibrate --target-epsilon 3 --sample-rate 0.01 --steps 1000 --schedule cosine:amplitude=0.25
    refdp calibrate --target-epsilon 3 --solve-for steps --noise-multiplier 1 --sample-rate 0.01
    """
    output, run = Output(as_json, quiet), RunFlags(**flags)
    if solve_for in (None, "noise-multiplier", "scale"):
        if noise_multiplier is not None:
            raise RefDPError(
                "--noise-multiplier: is what is solved for; leave it out, or give --solve-for steps"
            )
        found, steps = _noise(output, run, target_epsilon, delta or 1e-5, accountant)
    else:
        if noise_multiplier is None:
            raise RefDPError(f"--noise-multiplier: is needed to solve for {solve_for}")
        if solve_for == "delta" and delta is not None:
            raise RefDPError("--delta: is what is solved for; leave it out")
        solve: Callable[..., tuple[Calibration, int | None]] = {
            "steps": _steps, "sample-rate": _rate, "delta": _delta
        }[solve_for]  # fmt: skip
        found, steps = solve(output, run, noise_multiplier, target_epsilon, delta or 1e-5, accountant)
    output.answer(_document(found, steps), _text(found))
    return 0


def _noise(
    output: Output, run: RunFlags, target: float, delta: float, accountant: str
) -> tuple[Calibration, int | None]:
    family = _released(output, run)
    name = "noise_multiplier" if run.schedule.partition(":")[0] == "constant" else "scale"
    return calibrate_scale(family.at, target, delta, accountant, solved_for=name), family.steps


def _released(output: Output, run: RunFlags) -> Family:
    family = ledger_family(run)
    if all(event.is_no_op() for event in family.at(1.0).events):
        raise RefDPError("--steps, --sample-rate: nothing is released, so there is nothing to calibrate")
    say_steps(output, run, family.steps)
    return family


def _steps(
    output: Output, run: RunFlags, noise: float, target: float, delta: float, accountant: str
) -> tuple[Calibration, int | None]:
    if run.steps is not None or run.epochs is not None:
        raise RefDPError("--steps, --epochs: are what is solved for; leave them out")

    def at(steps: int) -> Ledger:
        return ledger_family(dataclasses.replace(run, steps=steps)).at(noise)

    if at(1).events[0].is_no_op():
        raise RefDPError("--sample-rate 0: nothing is released, so any number of steps will do")
    most = MOST_STEPS if run.schedule == "constant" else MOST_SCHEDULED
    found = calibrate_steps(at, target, delta, accountant, most=most)
    return found, None


def _rate(
    output: Output, run: RunFlags, noise: float, target: float, delta: float, accountant: str
) -> tuple[Calibration, int | None]:
    sized = run.sample_rate is not None or run.batch_size is not None or run.dataset_size is not None
    if run.sampling != "poisson" or sized or not run.steps:
        raise RefDPError(
            "--solve-for sample-rate: takes --noise-multiplier and --steps >= 1 under Poisson sampling, and no sizes"
        )

    def at(rate: float) -> Ledger:
        return ledger_family(dataclasses.replace(run, sample_rate=rate)).at(noise)

    return calibrate_sample_rate(at, target, delta, accountant), run.steps


def _delta(
    output: Output, run: RunFlags, noise: float, target: float, delta: float, accountant: str
) -> tuple[Calibration, int | None]:
    family = _released(output, run)
    return calibrate_delta(family.at(noise), target, accountant), family.steps


def _document(found: Calibration, steps: int | None) -> dict[str, Any]:
    """The ``refdp-calibration/1`` document."""
    document: dict[str, Any] = {"schema": "refdp-calibration/1", "solved_for": found.solved_for}
    if found.solved_for != "delta":
        document[found.solved_for] = found.value
    if steps is not None:
        document["steps"] = steps
    document |= {"target_epsilon": found.target_epsilon, "slack": found.slack}
    if found.solved_for in ("noise_multiplier", "scale"):
        document["rdp_noise_multiplier"] = found.rdp_noise_multiplier
    document |= {key: value for key, value in bounds_to_json(found.epsilon).items() if key != "schema"}
    document["notes"] = [*found.notes, *document["notes"]]
    return document


def _text(found: Calibration) -> str:
    lines = [
        f"{found.solved_for.replace('_', ' ')} = {found.value!r}",
        describe(found.epsilon),
        f"  slack        {found.slack:.3g}   left of the target {found.target_epsilon:g}",
    ]
    tight = found.epsilon.pld is not None and found.epsilon.pld["upper"] is not None
    if found.rdp_noise_multiplier is not None and tight:
        by_rdp = upper_figure(found.rdp_noise_multiplier)
        more = 100 * (found.rdp_noise_multiplier / found.value - 1)
        lines.append(f"  RDP alone    {by_rdp}   would be needed, {more:.2g} % more noise")
    return "\n".join([*lines, *(f"  note: {note}" for note in found.notes)])
