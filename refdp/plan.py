"""The plan: one object that joins the stages of a run and derives what it costs.

The stages (sampler, model, clipping, noise, optimizer) know nothing of each other. Only the plan sees them all,
so only the plan can say what was released: its ledger is what every epsilon of this package is computed from.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

import numpy as np

from refdp.accounting import (
    NEIGHBORING,
    AccountingError,
    Bounds,
    Ledger,
    QuantileEvent,
    Release,
    Sampling,
    Schedule,
    calibrate_scale,
    epsilon,
    epsilon_upper,
)
from refdp.clippers import AdaptiveClipper, ClipContext, Clipper
from refdp.errors import BudgetError, RefDPError
from refdp.gradients import Augmentation, Iterates
from refdp.models.network import Network
from refdp.optimizers import LearningRateSchedule, Optimizer
from refdp.optimizers.lr.plateau import PrivatePlateau
from refdp.optimizers.lr.plateau_rule import Plateau
from refdp.samplers import Sampler
from refdp.validate import one_of, positive, strictly_between, whole


@dataclass(frozen=True)
class Plan:
    """A run, fixed before it starts.

    Attributes:
        network: the model.
        sampler: rule for batches.
        clipper: clipping rule, or None for a run without privacy (a baseline: no clipping, no noise).
        schedule: noise multiplier of every step; its length is the number of steps.
        optimizer, learning_rate, lr_schedule: post-processing.
        delta: in (0, 1).
        neighboring: the relation the guarantee is about.
        augmentation, iterates: how a record's gradient is built before it is clipped; None for its gradient as it is.

    G1. ``ledger(t)`` holds the sampler's own events for the first t steps, with the counts that an adaptive clipping
        rule releases on the same batches, and the counts that the learning rate followed. Nothing else is released.
    """

    network: Network
    sampler: Sampler
    clipper: Clipper | None
    schedule: Schedule
    optimizer: Optimizer
    learning_rate: float
    lr_schedule: LearningRateSchedule
    delta: float
    neighboring: str
    augmentation: Augmentation | None = None
    iterates: Iterates | None = None

    def __post_init__(self) -> None:
        positive(learning_rate=self.learning_rate)
        strictly_between(0, 1, delta=self.delta)
        one_of(NEIGHBORING, neighboring=self.neighboring)
        whole(1, steps=self.schedule.steps)
        if self.augmentation is not None:
            self.augmentation.check(self.network.input_shape)
        if self.clipper is not None:
            context = ClipContext(0, self.steps, 0.0, self.sizes, self.released())
            self.clipper.noise_scales(context)  # refuses thresholds that do not fit this model
            self.ledger()  # refuses relations that this sampler has no proven pair for

    @property
    def private(self) -> bool:
        """Whether the run clips and adds noise."""
        return self.clipper is not None

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.schedule.steps

    @functools.cached_property
    def groups(self) -> list[slice]:
        """The parts of the gradient that have a norm, a scale and a noise of their own."""
        if self.clipper is not None and self.clipper.per_group:
            return [place for place, _ in self.network.parameters.values()]
        return [slice(0, self.network.size)]

    @functools.cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of parameters of each group."""
        return tuple(group.stop - group.start for group in self.groups)

    def released(self) -> dict[str, np.ndarray]:
        """What an adaptive clipping rule starts from; nothing for the others."""
        return self.clipper.initial(self.sizes) if isinstance(self.clipper, AdaptiveClipper) else {}

    @property
    def count_noise_std(self) -> float:
        """Standard deviation of the noise on an adaptive clipping rule's counts; 0 where there are none."""
        if not isinstance(self.clipper, AdaptiveClipper):
            return 0.0
        return self.clipper.count_noise_std(self.schedule.scale, self.sampler.batch_size, len(self.sizes))

    @property
    def observe_every(self) -> int | None:
        """Steps between the accuracies that the learning rate follows; None if it follows none."""
        if not isinstance(self.lr_schedule, Plateau):
            return None
        return self.lr_schedule.every or self.sampler.steps(1)

    def ledger(self, steps: int | None = None) -> Ledger:
        """What the first ``steps`` steps release (all of them by default)."""
        if not self.private:
            raise RefDPError(
                "a baseline run without clipping and noise has no ledger: its epsilon is infinite"
            )
        taken = self.steps if steps is None else steps
        sensitivity, noise = 0.0, self.count_noise_std
        if isinstance(self.clipper, AdaptiveClipper):
            sensitivity = self.clipper.count_sensitivity(len(self.sizes))
        with np.errstate(over="ignore"):
            beside = float(np.float64(sensitivity / noise) ** 2) if noise else 0.0
        events: tuple[Release, ...] = self.sampler.events(self.schedule, taken, beside) if taken else ()
        if isinstance(self.clipper, AdaptiveClipper):
            events = tuple(QuantileEvent(e.noise, e.sampling, e.count, noise, sensitivity) for e in events)
        observed = taken // self.observe_every if self.observe_every else 0
        if observed and isinstance(self.lr_schedule, PrivatePlateau):
            noise = self.lr_schedule.count_noise_std(self.sampler.dataset_size)
            events += (QuantileEvent(None, Sampling("full-batch"), observed, noise, 0.5),)
        return Ledger(self.neighboring, events)

    def epsilon(self, steps: int | None = None) -> Bounds:
        """Both bounds on epsilon at the plan's delta after that many steps."""
        return epsilon(self.ledger(steps), self.delta)

    def epsilon_upper(self, steps: int | None = None) -> float:
        """The upper bound alone, at less cost (part of a long schedule: a little above ``epsilon``'s)."""
        whole = steps is None or steps >= self.steps
        return epsilon_upper(self.ledger(steps), self.delta, bins=None if whole else 64)

    def with_scale(self, scale: float) -> Plan:
        """The same plan at another noise multiplier (the schedule's scale)."""
        return dataclasses.replace(self, schedule=dataclasses.replace(self.schedule, scale=scale))

    def calibrated(self, target_epsilon: float) -> Plan:
        """The plan with the least noise whose upper epsilon is at most the target.

        Raises:
            BudgetError: the result would exceed the target all the same (never expected).
            AccountingError: the target is out of reach.
        """
        try:
            found = calibrate_scale(lambda x: self.with_scale(x).ledger(), target_epsilon, self.delta)
        except AccountingError as error:
            if not any(isinstance(event, QuantileEvent) for event in self.ledger().events):
                raise
            raise AccountingError(
                f"{error}; or give the noised counts more count_noise: they are charged too"
            ) from None
        plan = self.with_scale(found.noise_multiplier)
        upper = found.epsilon.upper  # of this very ledger
        if upper is None or upper > target_epsilon:
            raise BudgetError(f"target_epsilon = {target_epsilon!r}: the calibrated plan costs {upper!r}")
        return plan
