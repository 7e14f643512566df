"""What canaries that are records share: the white-box adversary, who correlates releases with their gradients.

At every step the adversary computes each canary's gradient at the step's weights, clipped by the run's rule, and the
others' sum: of the records as they were added, and of the other planted canaries as they should have been. What is left
of the release, o, holds the canary or does not; see ``likelihood``. Canaries that are records touch each other through
the weights, and where a run adds more than declared, through the sum: they are not independent trials, and only the
one-run estimators may treat many of one run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refdp.audit.runs.canaries.base import Watch
from refdp.audit.runs.knowledge import participation
from refdp.audit.runs.likelihood import increment
from refdp.backend import Array
from refdp.clippers import rounded_scales, usable_norms
from refdp.gradients import record_gradients

if TYPE_CHECKING:
    from refdp.audit.runs.trainer import AuditTrainer

_ROWS = 2**22  # entries at a time


class InputWatch(Watch):
    """Sums of log-likelihood ratios, from gradients made anew at every step."""

    def __init__(self, trainer: AuditTrainer) -> None:
        super().__init__(trainer)
        self._scores = np.zeros(len(trainer.planted) + trainer.references)

    def _gradients(self, some: np.ndarray) -> np.ndarray:
        """Clipped gradients [b, D] of these canaries, by themselves: not by the code that is audited."""
        trainer = self.trainer
        plan, backend, context = trainer.plan, trainer.backend, trainer.context
        split, xp = trainer.canary_records, backend.xp
        assert plan.clipper is not None
        rows = np.empty((len(some), plan.network.size), dtype=trainer.dtype)
        x = trainer.data.prepare(xp, split.x[some])
        record_gradients(plan.network, xp, [(1.0, trainer.theta)], [x], split.y[some], rows, None)
        norms, _ = usable_norms(backend, rows, plan.groups)
        scales = rounded_scales(backend, plan.clipper, norms, context, trainer.dtype)
        for k, group in enumerate(plan.groups):
            rows[:, group] *= scales[:, k, None]
        return rows

    def saw(self, released: Array) -> None:
        trainer, canaries = self.trainer, len(self.trainer.planted)
        left = released - trainer.known
        taken = np.zeros(canaries)
        slots = trainer.drawn[trainer.drawn >= trainer.records] - trainer.records
        taken[slots] = 1.0
        taken *= trainer.planted
        everyone = np.arange(len(self._scores))
        chunks = np.array_split(everyone, -(-len(everyone) * trainer.plan.network.size // _ROWS))
        precision = np.broadcast_to(trainer.precision(), left.shape)
        inner, squares, total = np.zeros(len(everyone)), np.zeros(len(everyone)), np.zeros_like(left)
        for some in chunks:
            gradients = self._gradients(some).astype(np.float64)
            weighted = gradients * precision
            squares[some] = np.einsum("bd,bd->b", gradients, weighted)
            inner[some] = weighted @ left
            own = np.where(some < canaries, taken[np.minimum(some, canaries - 1)], 0.0)
            total += own @ gradients
        for some in chunks if taken.any() else ():
            inner[some] -= (self._gradients(some).astype(np.float64) * precision) @ total
        inner[:canaries] += taken * squares[:canaries]
        rate = participation(trainer.declared.sampler, trainer.drawn, trainer.records, len(everyone))
        self._scores += increment(inner, squares, rate)

    def scores(self) -> np.ndarray:
        return self._scores
