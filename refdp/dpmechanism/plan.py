"""What a run of s0's harness costs, and the noise it needs: its steps, its cosine schedule, its way of drawing batches.

steps = epochs (dataset_size // batch_size): the loader drops the last, shorter batch. The noise multiplier of step t is
scale r_t, with r_t ~ 1 + amplitude cos(pi (t + 0.5) / steps) and mean(1 / r_t^2) = 1, as in s0. s0 then accounts for
``scale`` alone; here every step is composed with its own multiplier.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from refdp.accounting import (
    ADD_REMOVE,
    ZERO_OUT,
    Bounds,
    GaussianEvent,
    Ledger,
    Sampling,
    Schedule,
    calibrate_scale,
    epsilon,
    shuffle_epsilon_lower,
    shuffle_epsilon_upper,
)
from refdp.accounting.epochwise import least_of_each_epoch
from refdp.errors import RefDPError
from refdp.validate import one_of, whole

SAMPLINGS = ("shuffle", "poisson")
MOST_STEPS = 10**6


@dataclass(frozen=True)
class NoisePlan:
    """A run that is planned before it starts.

    Attributes:
        dataset_size, batch_size, epochs: whole, >= 1; batch_size <= dataset_size; at most a million steps.
        amplitude: of the cosine, in (-1, 1); 0 is constant noise.
        sampling: "shuffle": each record in at most one batch of an epoch (zero-out; no amplification is claimed), or
            "poisson": each record in each step independently with probability batch_size / dataset_size (add-remove).

    G1. ``ledger(x)`` charges every planned step at the noise multiplier that ``schedule(x)`` gives it; under
        "shuffle", an unsampled step an epoch at the least of that epoch.
    G2. ``epsilon(needed(e, d), d).upper <= e``.
    """

    dataset_size: int
    batch_size: int
    epochs: int
    amplitude: float
    sampling: str = "shuffle"

    def __post_init__(self) -> None:
        whole(1, dataset_size=self.dataset_size, batch_size=self.batch_size, epochs=self.epochs)
        for name in ("dataset_size", "batch_size", "epochs"):
            object.__setattr__(self, name, int(getattr(self, name)))
        one_of(SAMPLINGS, sampling=self.sampling)
        if self.batch_size > self.dataset_size:
            raise RefDPError(
                f"batch_size = {self.batch_size}: must not exceed dataset_size = {self.dataset_size} (the last, "
                "shorter batch is dropped: nothing would be run)"
            )
        if self.steps > MOST_STEPS:
            raise RefDPError(f"epochs = {self.epochs}: {self.steps:,} steps, must be at most {MOST_STEPS:,}")

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches of the data set."""
        return self.dataset_size // self.batch_size

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.epochs * self.steps_per_epoch

    def schedule(self, scale: float) -> Schedule:
        """The noise multipliers of all steps; ``scale``^-2 is the mean of their ^-2."""
        return Schedule("cosine", self.steps, scale, {"amplitude": self.amplitude}, "harmonic")

    def by_epoch(self, scale: float) -> np.ndarray:
        """The same, float64 [epochs, steps_per_epoch]."""
        return self.schedule(scale).noise_multipliers().reshape(self.epochs, self.steps_per_epoch)

    def ledger(self, scale: float) -> Ledger:
        """The whole run as refdp's ledger."""
        if self.sampling == "poisson":
            rate = Sampling("poisson", rate=self.batch_size / self.dataset_size)
            return Ledger(ADD_REMOVE, (GaussianEvent(self.schedule(scale), rate, self.steps),))
        once = Sampling("shuffle", epochs=1)
        least = least_of_each_epoch(self.by_epoch(scale))
        return Ledger(ZERO_OUT, tuple(GaussianEvent(float(x), once) for x in least))

    def needed(self, target_epsilon: float, target_delta: float) -> float:
        """The least ``scale`` whose ledger keeps the target, to 1e-5 of it; computed once a process.

        Raises:
            AccountingError: target_epsilon not finite and > 0, target_delta outside (0, 1), or out of reach.
        """
        return _needed(self, target_epsilon, target_delta)

    def epsilon(self, scale: float, delta: float) -> Bounds:
        """Both bounds of the whole run at this scale. Under "shuffle" the upper one is at most the ledger's, and less
        where it pays to average over the batch that a record falls into."""
        return _epsilon(self, scale, delta)


@lru_cache(maxsize=256)
def _needed(plan: NoisePlan, target_epsilon: float, target_delta: float) -> float:
    return calibrate_scale(plan.ledger, target_epsilon, target_delta).value


@lru_cache(maxsize=256)
def _epsilon(plan: NoisePlan, scale: float, delta: float) -> Bounds:
    found = epsilon(plan.ledger(scale), delta)
    if plan.sampling == "poisson":
        return found
    table = plan.by_epoch(scale)
    taken = np.full(plan.steps_per_epoch, plan.batch_size / plan.dataset_size)
    lower = shuffle_epsilon_lower(
        table.max(axis=1), plan.steps_per_epoch, delta, takes_part=min(1.0, float(taken.sum()))
    )
    upper = shuffle_epsilon_upper(table, delta, chances=taken)
    notes = ("shuffle: no amplification claimed; the truth lies between the bounds",)
    return dataclasses.replace(
        found, lower=lower, upper=upper if found.upper is None else min(upper, found.upper), notes=notes
    )
