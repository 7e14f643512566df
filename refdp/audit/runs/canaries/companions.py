"""One canary among companions that pull the other way: the data set that tells shuffled batches from Poisson ones.

Chua et al. 2024 (arXiv 2403.17673), section 4: every other record's gradient is -C along one direction, the canary's
+C, or 0 where it is left out (zero-out). With batches of b records in a shuffled order, and what a batch of companions
adds taken off, the released sums of an epoch's T steps are, in units of C and with noise multiplier s,

    left out:  o ~ 1/T sum_t N(  e_t, s^2 I)
    planted:   o ~ 1/T sum_t N(2 e_t, s^2 I)

since the canary's batch lacks a companion. The score is the log-likelihood ratio of these two, epoch by epoch:

    log sum_t exp((2 o_t - 2) / s^2) - log sum_t exp((o_t - 1/2) / s^2)

The adversary knows the data and the batch size, but no batch. The same attack is made on every run, however its batches
were drawn: where they are Poisson, the number of companions in a batch is random and hides the canary.

Companions' gradients are constants, made here and clipped by the run's rule; records and model are of no influence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import logsumexp

from refdp.audit.runs.canaries import canaries
from refdp.audit.runs.canaries.base import Canary, Watch
from refdp.audit.runs.clipped import ClippedDiracs
from refdp.backend import Array
from refdp.data import Dataset, Split
from refdp.samplers.epochs import steps_per_epoch

if TYPE_CHECKING:
    from refdp.audit.runs.trainer import AuditTrainer


@canaries.register("companions")
@dataclass(frozen=True)
class Companions(Canary):
    """One canary a run; best with batches of one, a thousand steps, and many runs."""

    name: ClassVar[str] = "companions"
    statement: ClassVar[str] = "the canary's gradient is C along a direction, every other record's is -C"
    gradient_space: ClassVar[bool] = True
    alone: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = {
        "canaries": 1,
        "dataset": "gaussian-clusters:n_samples=1250,n_features=1,n_classes=2",
        "model": "mlp:hidden=1",
        "records": 999,
        "batch_size": 1,
        "neighboring": "zero-out",
        "noise_multiplier": 0.6,
        "optimizer": "sgd",
        "learning_rate": 1e-3,
        "runs": 2500,
        "expected_epsilon": 4.0,  # thresholds far out: that is where shuffled batches leak more than Poisson ones
        "references": 0,
    }

    def records(self, data: Dataset, count: int, generator: np.random.Generator) -> Split:
        """Copies of one record, which nobody looks at."""
        return Split(np.repeat(data.train.x[:1], count, axis=0), np.repeat(data.train.y[:1], count))

    def watch(self, trainer: AuditTrainer, generator: np.random.Generator) -> Watch:
        return CompanionWatch(trainer, generator)


class CompanionWatch(Watch):
    """The released sums along one coordinate, and at the end what they say together."""

    def __init__(self, trainer: AuditTrainer, generator: np.random.Generator) -> None:
        super().__init__(trainer)
        self.coordinate = generator.choice(trainer.plan.network.size, 1)
        self._clipped = ClippedDiracs(trainer, self.coordinate)
        self._seen: list[float] = []
        self._precisions: list[float] = []

    @property
    def size(self) -> float:
        """What one of them adds along the coordinate at this step, after clipping."""
        return float(self._clipped.contributions[0])

    def records_sum(self, indices: np.ndarray) -> Array:
        """Companions: -C each."""
        return self._along(-len(indices))

    def slots_sum(self, slots: np.ndarray) -> Array:
        return self._along(int(self.trainer.planted[slots].sum()))

    def _along(self, times: int) -> Array:
        total = np.zeros(self.trainer.plan.network.size)
        total[self.coordinate] = times * self.size
        return total

    def saw(self, released: Array) -> None:
        trainer, size = self.trainer, self.size
        batch = min(trainer.plan.sampler.batch_size, len(trainer.planted) + trainer.records)
        self._seen.append(float(released[self.coordinate[0]]) / size + batch)
        self._precisions.append(float(np.asarray(trainer.precision(self.coordinate)).ravel()[0]) * size**2)

    def scores(self) -> np.ndarray:
        seen, precisions = np.array(self._seen), np.array(self._precisions)
        width, score = steps_per_epoch(self.trainer.declared.sampler), 0.0
        for start in range(0, len(seen), width):
            o, p = seen[start : start + width], precisions[start : start + width]
            score += float(logsumexp(p * (2 * o - 2)) - logsumexp(p * (o - 0.5)))
        return np.array([score])
