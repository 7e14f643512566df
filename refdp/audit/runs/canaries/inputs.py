"""What canaries that are records share: the white-box adversary, who correlates releases with their gradients.

At every step the adversary computes each canary's gradient at the step's weights, clipped by the run's rule, and takes
off the release what the records added, and what the other canaries add on average over coins and draws. What is left,
o, holds the canary or does not; see ``likelihood``. With one canary a run the score is its log-likelihood ratio; with
more, the others' coins are noise that is not accounted for, and it tells less.

The others' true coins are not used: a score that looks at them is no function of what was released, and the one-run
theorem, which needs that, fails. (Were all canaries the same record, every planted one would score a constant more than
every one left out, however little leaks.) Canaries that are records touch each other through the weights too: they are
not independent trials, and only the one-run estimators may treat many of one run.
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
        everyone = np.arange(len(self._scores))
        rate = participation(trainer.declared.sampler, trainer.drawn, trainer.records, len(everyone))
        average = np.where(everyone < canaries, 0.5 * rate, 0.0)  # of each, what the release holds on average
        chunks = np.array_split(everyone, -(-len(everyone) * trainer.plan.network.size // _ROWS))
        precision = np.broadcast_to(trainer.precision(), left.shape)
        inner, squares, total = np.zeros(len(everyone)), np.zeros(len(everyone)), np.zeros_like(left)
        for some in chunks:
            gradients = self._gradients(some).astype(np.float64)
            weighted = gradients * precision
            squares[some] = np.einsum("bd,bd->b", gradients, weighted)
            inner[some] = weighted @ left
            total += average[some] @ gradients
        for some in chunks if canaries > 1 else ():
            inner[some] -= (self._gradients(some).astype(np.float64) * precision) @ total
        if canaries > 1:
            inner += average * squares  # a canary's own share stays
        self._scores += increment(inner, squares, rate)

    def scores(self) -> np.ndarray:
        return self._scores
