"""From command-line flags to a ledger, or to a family of ledgers by noise multiplier."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from refdp.accounting import ADD_REMOVE, GaussianEvent, Ledger, Release, Sampling, Schedule
from refdp.accounting.neighboring import ILL_POSED
from refdp.cli.run_flags import RunFlags
from refdp.config import parse_schedule
from refdp.errors import RefDPError
from refdp.samplers import samplers

_TAKES = {"max_batch_size": "truncated-poisson", "bins": "balls-and-bins"}
_IN_EPOCHS = ("step", "noise-decay")


@dataclass(frozen=True)
class Family:
    """Ledgers by noise multiplier (a schedule's scale), and the number of steps where it is known."""

    at: Callable[[float], Ledger]
    steps: int | None


def ledger_family(flags: RunFlags) -> Family:
    """What the flags describe.

    Raises:
        RefDPError: flags that are missing, contradict each other or do not fit the sampler.
    """
    for name, scheme in _TAKES.items():
        if getattr(flags, name) is not None and flags.sampling != scheme:
            option = name.replace("_", "-")
            raise RefDPError(
                f"--{option}: belongs to --sampling {scheme}, not {flags.sampling}; leave it out"
            )
    relation, group = flags.neighboring or ILL_POSED.get(flags.sampling, ADD_REMOVE), flags.group_size or 1
    make = {"shuffle": _epoch_wise, "fixed-order": _epoch_wise, "balls-and-bins": _balls}.get(
        flags.sampling, _step_wise
    )
    events, steps = make(flags)
    return Family(lambda scale: Ledger(relation, events(scale), group), steps)


Events = Callable[[float], tuple[Release, ...]]


def _sizes(flags: RunFlags, needed_by: str = "") -> tuple[int, int] | None:
    """(batch size, data set size), or None where neither is given and none is needed."""
    batch, records = flags.batch_size, flags.dataset_size
    if batch is None and records is None and not needed_by:
        return None
    if batch is None or records is None:
        raise RefDPError(f"--batch-size, --dataset-size: give both of them{needed_by or ', or neither'}")
    if batch > records:
        raise RefDPError(f"--batch-size {batch}: must not exceed --dataset-size {records}")
    return batch, records


def _rate(flags: RunFlags) -> float:
    """The Poisson rate: exactly what was given, never inferred from anything else."""
    if flags.sample_rate is None:
        if flags.batch_size is None and flags.dataset_size is None:
            raise RefDPError(
                "--sample-rate: is needed for Poisson sampling; or give --batch-size with --dataset-size"
            )
        batch, records = _sizes(flags, " (or --sample-rate)") or (0, 1)
        return batch / records
    if flags.batch_size is not None or (flags.dataset_size is not None and flags.sampling == "poisson"):
        raise RefDPError("--sample-rate: give either it, or --batch-size with --dataset-size, not both")
    return flags.sample_rate


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


def _noise(flags: RunFlags, steps: int, scale: float, rate: float) -> Any:
    """A multiplier or a schedule; those measured in epochs are told how many steps an epoch has."""
    spec = flags.schedule
    if spec == "constant":
        return scale
    if spec.partition(":")[0] in _IN_EPOCHS and "steps_per_epoch" not in spec and rate > 0:
        sizes = _sizes(flags) if flags.sample_rate is None else None
        an_epoch = -(-sizes[1] // sizes[0]) if sizes else math.ceil(1 / Fraction(repr(rate)))
        spec += f"{',' if ':' in spec else ':'}steps_per_epoch={an_epoch}"
    return parse_schedule(spec, steps, scale).noise()


def _step_wise(flags: RunFlags) -> tuple[Events, int]:
    """Schemes whose events count steps."""
    if flags.sampling == "full-batch":
        if flags.sample_rate not in (None, 1.0):
            raise RefDPError(f"--sample-rate {flags.sample_rate}: full batches have none; leave it out")
        if flags.batch_size is not None or flags.dataset_size is not None:
            raise RefDPError("--batch-size, --dataset-size: full batches take everybody; leave them out")
        rate, scheme = 1.0, Sampling("full-batch")
    elif flags.sampling == "without-replacement":
        if flags.sample_rate is not None:
            raise RefDPError(
                "--sample-rate: batches have a fixed size here; give --batch-size and --dataset-size"
            )
        batch, records = _sizes(flags, " under --sampling without-replacement") or (1, 1)
        rate, scheme = batch / records, Sampling(flags.sampling, dataset_size=records, batch_size=batch)
    elif flags.sampling == "truncated-poisson":
        rate, size, cap = _rate(flags), flags.dataset_size, flags.max_batch_size
        if size is None or cap is None:
            raise RefDPError("--sampling truncated-poisson: needs --dataset-size and --max-batch-size")
        scheme = Sampling(flags.sampling, rate=rate, dataset_size=size, max_batch_size=cap)
    else:
        rate = _rate(flags)
        scheme = Sampling("poisson", rate=rate)
    steps = _steps(flags, rate)
    _noise(flags, min(steps, 1), 1.0, rate)  # a bad schedule is refused also where there are no steps

    def events(scale: float) -> tuple[Release, ...]:
        return (GaussianEvent(_noise(flags, steps, scale, rate), scheme, steps),) if steps else ()

    return events, steps


def _epoch_wise(flags: RunFlags) -> tuple[Events, int | None]:
    """Shuffle and fixed order: every record once an epoch."""
    if flags.sample_rate is not None:
        raise RefDPError(f"--sample-rate: {flags.sampling} batches have no sampling rate; give --epochs")
    sizes = _sizes(flags)
    if (flags.steps is None) == (flags.epochs is None):
        raise RefDPError("--steps, --epochs: give exactly one of them")
    if sizes:
        batch, records = sizes
        sampler = samplers.create(flags.sampling, dataset_size=records, batch_size=batch)
        steps = flags.steps if flags.steps is not None else sampler.steps(flags.epochs or 0)

        def events(scale: float) -> tuple[Release, ...]:
            if not steps:
                return ()
            noise = _noise(flags, steps, scale, batch / records)
            schedule = noise if isinstance(noise, Schedule) else Schedule("constant", steps, scale)
            return tuple(sampler.events(schedule, steps))

        return events, steps
    if flags.epochs is None or parse_schedule(flags.schedule, 1, 1.0).kind != "constant":
        raise RefDPError(
            f"--sampling {flags.sampling}: with --steps or a schedule, give --batch-size and --dataset-size too"
        )
    scheme = Sampling(flags.sampling, epochs=flags.epochs)
    return (lambda scale: (GaussianEvent(scale, scheme),)), None


def _balls(flags: RunFlags) -> tuple[Events, int | None]:
    """Balls and bins: each record falls into one step of each epoch."""
    if flags.sample_rate is not None or flags.steps is not None or flags.epochs is None:
        raise RefDPError(
            "--sampling balls-and-bins: takes --epochs, and --bins (or both sizes), nothing else"
        )
    if parse_schedule(flags.schedule, 1, 1.0).kind != "constant":
        raise RefDPError("--schedule: no bound is known for it under balls-and-bins; use constant")
    sizes = _sizes(flags)
    if (flags.bins is None) == (sizes is None):
        raise RefDPError("--bins: give it, or --batch-size with --dataset-size")
    bins = flags.bins if sizes is None else -(-sizes[1] // sizes[0])
    assert bins is not None
    scheme = Sampling(flags.sampling, bins=bins, epochs=flags.epochs)
    return (lambda scale: (GaussianEvent(scale, scheme),)), bins * flags.epochs
