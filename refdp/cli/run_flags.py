"""The flags that say what was run: shared by ``epsilon``, ``delta`` and ``calibrate``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from refdp.accounting import NEIGHBORING, SCHEMES
from refdp.cli.parameters import COUNT, COUNT_OR_ZERO, RATE, Name

_SCHEDULES = (
    "Noise schedule, NAME:param=value,...: constant, cosine:amplitude=, linear:start=,end=, exponential:start=,end=, "
    "step:factor=,every= (epochs), noise-decay:factor=,every=; normalise=harmonic on any."
)


@dataclass(frozen=True)
class RunFlags:
    """What was run, as flags said it; None where a flag was not given."""

    sample_rate: float | None = None
    batch_size: int | None = None
    dataset_size: int | None = None
    max_batch_size: int | None = None
    bins: int | None = None
    steps: int | None = None
    epochs: int | None = None
    schedule: str = "constant"
    sampling: str = "poisson"
    neighboring: str | None = None
    group_size: int | None = None


def run_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of ``RunFlags``."""
    options = [
        click.option("--sample-rate", type=RATE, help="Poisson: probability that a record joins a step."),
        click.option("--batch-size", type=COUNT, help="Expected (logical) batch size."),
        click.option("--dataset-size", type=COUNT, help="Number of training records."),
        click.option(
            "--max-batch-size", type=COUNT, help="truncated-poisson: larger batches are cut to this."
        ),
        click.option("--bins", type=COUNT, help="balls-and-bins: steps an epoch."),
        click.option("--steps", type=COUNT_OR_ZERO, help="Number of noisy steps."),
        click.option(
            "--epochs", type=COUNT_OR_ZERO, help="Passes: ceil(epochs * dataset size / batch size) steps."
        ),
        click.option("--schedule", type=Name(), default="constant", show_default=True, help=_SCHEDULES),
        click.option(
            "--sampling",
            type=click.Choice(SCHEMES),
            default="poisson",
            show_default=True,
            help="How batches are drawn.",
        ),
        click.option(
            "--neighboring",
            type=click.Choice(NEIGHBORING),
            default=None,
            help="Relation [default: add-remove; zero-out for shuffle and fixed-order; replace-one for "
            "without-replacement].",
        ),
        click.option("--group-size", type=COUNT, help="Records that one person may hold [default: 1]."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
