"""From command-line flags to a ledger, or to a family of ledgers by noise multiplier."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import click

from refdp.accounting import NEIGHBORING, GaussianEvent, Ledger, Sampling
from refdp.cli.parameters import COUNT, COUNT_OR_ZERO, RATE, Name
from refdp.config import parse_schedule
from refdp.errors import RefDPError
from refdp.samplers import samplers

SAMPLING = ("poisson", "full-batch", "shuffle", "fixed-order")


@dataclass(frozen=True)
class RunFlags:
    """The flags that say what was run."""

    sample_rate: float | None
    batch_size: int | None
    dataset_size: int | None
    steps: int | None
    epochs: int | None
    schedule: str
    sampling: str
    neighboring: str | None


def run_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of ``RunFlags``."""
    options = [
        click.option("--sample-rate", type=RATE, help="Poisson: probability that a record joins a step."),
        click.option("--batch-size", type=COUNT, help="Expected (logical) batch size."),
        click.option("--dataset-size", type=COUNT, help="Number of training records."),
        click.option("--steps", type=COUNT_OR_ZERO, help="Number of noisy steps."),
        click.option(
            "--epochs", type=COUNT_OR_ZERO, help="Passes: ceil(epochs * dataset size / batch size) steps."
        ),
        click.option(
            "--schedule",
            type=Name(),
            default="constant",
            show_default=True,
            help="Noise schedule, as NAME:param=value: constant, cosine:amplitude=A[,normalise=harmonic].",
        ),
        click.option(
            "--sampling",
            type=click.Choice(SAMPLING),
            default="poisson",
            show_default=True,
            help="How batches are drawn.",
        ),
        click.option(
            "--neighboring",
            type=click.Choice(NEIGHBORING),
            default=None,
            help="Relation [default: add-remove; zero-out for shuffle and fixed-order].",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _rate(flags: RunFlags) -> float:
    if flags.sample_rate is not None:
        if flags.batch_size is not None or flags.dataset_size is not None:
            raise RefDPError("--sample-rate: give either it, or --batch-size with --dataset-size, not both")
        return flags.sample_rate
    if flags.batch_size is None or flags.dataset_size is None:
        raise RefDPError(
            "--sample-rate: is needed for Poisson sampling; or give --batch-size with --dataset-size"
        )
    if flags.batch_size > flags.dataset_size:
        raise RefDPError(
            f"--batch-size {flags.batch_size}: must not exceed --dataset-size {flags.dataset_size}"
        )
    return flags.batch_size / flags.dataset_size


def _steps(flags: RunFlags, rate: float) -> int:
    if (flags.steps is None) == (flags.epochs is None):
        raise RefDPError("--steps, --epochs: give exactly one of them")
    if flags.steps is not None:
        return flags.steps
    assert flags.epochs is not None
    if flags.batch_size is not None and flags.dataset_size is not None:
        return -(-flags.epochs * flags.dataset_size // flags.batch_size)
    if rate == 0:
        raise RefDPError("--epochs: has no meaning at --sample-rate 0; give --steps")
    return math.ceil(flags.epochs / Fraction(repr(rate)))


def _epoch_wise(flags: RunFlags) -> tuple[Callable[[float], tuple[GaussianEvent, ...]], int]:
    """Shuffle and fixed order: events by scale, and the number of epochs."""
    if flags.sample_rate is not None:
        raise RefDPError(f"--sample-rate: {flags.sampling} batches have no sampling rate; give --epochs")
    sizes = flags.batch_size is not None and flags.dataset_size is not None
    if not sizes and (flags.batch_size is not None or flags.dataset_size is not None):
        raise RefDPError("--batch-size, --dataset-size: give both of them, or neither")
    if (flags.steps is None) == (flags.epochs is None):
        raise RefDPError("--steps, --epochs: give exactly one of them")
    if sizes:
        sampler = samplers.create(
            flags.sampling, dataset_size=flags.dataset_size, batch_size=flags.batch_size
        )
        steps = flags.steps if flags.steps is not None else sampler.steps(flags.epochs or 0)
        if steps == 0:
            return (lambda scale: ()), 0
        return (lambda scale: sampler.events(parse_schedule(flags.schedule, steps, scale), steps)), steps
    if flags.epochs is None or parse_schedule(flags.schedule, 1, 1.0).kind != "constant":
        raise RefDPError(
            f"--sampling {flags.sampling}: with --steps or a schedule, give --batch-size and --dataset-size too"
        )
    epochs = flags.epochs
    scheme = Sampling(flags.sampling, epochs=epochs)
    return (lambda scale: (GaussianEvent(scale, scheme),)), epochs


def ledger_family(flags: RunFlags) -> tuple[Callable[[float], Ledger], int]:
    """(scale -> ledger, number of steps) of what the flags describe.

    Raises:
        RefDPError: flags that are missing, contradict each other or do not fit the sampler.
    """
    if flags.sampling in ("shuffle", "fixed-order"):
        events, steps = _epoch_wise(flags)
        relation = flags.neighboring or "zero-out"
        return (lambda scale: Ledger(relation, events(scale))), steps
    if flags.sampling == "full-batch" and flags.sample_rate not in (None, 1.0):
        raise RefDPError(f"--sample-rate {flags.sample_rate}: full batches have none; leave it out")
    full = flags.sampling == "full-batch"
    if full and (flags.batch_size is not None or flags.dataset_size is not None):
        raise RefDPError("--batch-size, --dataset-size: full batches take everybody; leave them out")
    rate = 1.0 if full else _rate(flags)
    steps = flags.epochs if full and flags.epochs is not None and flags.steps is None else _steps(flags, rate)
    scheme = Sampling("full-batch") if full else Sampling("poisson", rate=rate)
    relation = flags.neighboring or "add-remove"

    parse_schedule(flags.schedule, 1, 1.0)

    def ledger(scale: float) -> Ledger:
        if steps == 0:
            return Ledger(relation)
        noise: Any = scale if flags.schedule == "constant" else parse_schedule(flags.schedule, steps, scale)
        return Ledger(relation, (GaussianEvent(noise, scheme, steps),))

    return ledger, steps
