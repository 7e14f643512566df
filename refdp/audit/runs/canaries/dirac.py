"""Dirac canaries: gradients along a coordinate of their own (Nasr et al. 2023, arXiv 2302.07956, section 5).

Canary j's gradient is a large multiple of the unit vector of a coordinate drawn at random, without repeats; the run's
own clipping rule brings it to a contribution of norm <= K.

Why 1,000 of them in one run are 1,000 independent trials where every record is in every batch. The adversary subtracts
the sum over the records, computed at the weights of that step. Other planted canaries live on other coordinates,
exactly orthogonal: canary j reads its own coordinate only. What is left is coin_j c_j + noise_j, and the noise of step
t on coordinate j is independent of everything before, of all coins, and of all other coordinates. Weights do depend on
other canaries through the steps before, but what records add at these weights is subtracted. So each sum of
log-likelihood ratios depends on coin_j, on whether canary j was drawn, and on the noise of its own coordinate alone.

Under a rule that clips each tensor by itself such a gradient is let through up to its tensor's share of C only: what
these canaries can show is less than the run's epsilon, by more the more tensors there are.

``references`` are further coordinates, drawn the same way and never planted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from refdp.audit.runs.canaries import canaries
from refdp.audit.runs.canaries.base import Canary, Watch
from refdp.audit.runs.clipped import ClippedDiracs
from refdp.audit.runs.knowledge import others_are_known, participation
from refdp.audit.runs.likelihood import increment, increment_replaced
from refdp.backend import Array
from refdp.data import Dataset, Split

if TYPE_CHECKING:
    from refdp.audit.runs.trainer import AuditTrainer


@canaries.register("dirac")
@dataclass(frozen=True)
class Dirac(Canary):
    """A coordinate of its own for each canary; at most as many as the model has parameters."""

    name: ClassVar[str] = "dirac"
    statement: ClassVar[str] = "each canary's gradient lies along a coordinate of its own"
    gradient_space: ClassVar[bool] = True
    defaults: ClassVar[dict[str, int]] = {"canaries": 1000}

    def records(self, data: Dataset, count: int, generator: np.random.Generator) -> Split:
        """Copies of one record, which nobody looks at."""
        return Split(np.repeat(data.train.x[:1], count, axis=0), np.repeat(data.train.y[:1], count))

    def watch(self, trainer: AuditTrainer, generator: np.random.Generator) -> Watch:
        return DiracWatch(trainer, generator)


class DiracWatch(Watch):
    """Sums of log-likelihood ratios, one coordinate each."""

    def __init__(self, trainer: AuditTrainer, generator: np.random.Generator) -> None:
        super().__init__(trainer)
        scored = len(trainer.planted) + trainer.references
        self.coordinates = generator.choice(trainer.plan.network.size, scored, replace=False)
        self.replaced = trainer.declared.neighboring == "replace-one"
        self._scores = np.zeros(scored)
        self._clipped = ClippedDiracs(trainer, self.coordinates)

    @property
    def contributions(self) -> np.ndarray:
        """c: what each adds to its own coordinate at this step, after clipping; float64 [canaries + references]."""
        return self._clipped.contributions

    def slots_sum(self, slots: np.ndarray) -> Array:
        """The drawn canaries that are planted; under replace-one the others add the opposite."""
        canaries = len(self.trainer.planted)
        times = np.bincount(slots, minlength=canaries)  # more than once only in a faulty run
        signs = np.where(self.trainer.planted, 1.0, -1.0 if self.replaced else 0.0)
        total = np.zeros(self.trainer.plan.network.size)
        total[self.coordinates[:canaries]] = times * signs * self.contributions[:canaries]
        return total

    def saw(self, released: Array) -> None:
        trainer, own = self.trainer, self.contributions
        sampler = trainer.declared.sampler
        left = released[self.coordinates]
        if others_are_known(sampler):
            left = left - trainer.known[self.coordinates]
        precision = trainer.precision(self.coordinates)
        rate = participation(sampler, trainer.drawn, trainer.records, len(own))
        rule = increment_replaced if self.replaced else increment
        self._scores += rule(left * own * precision, own * own * precision, rate)

    def scores(self) -> np.ndarray:
        return self._scores
