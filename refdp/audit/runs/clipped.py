"""Gradients that are made here, through the run's own clipping rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refdp.clippers import rounded_scales, usable_norms, weighted_sum

if TYPE_CHECKING:
    from refdp.audit.runs.trainer import AuditTrainer

LARGE = 1e6
"""Norm of a made-up gradient, in units of K: every rule clips it to K, or to what it lets through at most."""
_ROWS = 2**22  # entries at a time


class ClippedDiracs:
    """Gradients of norm ``LARGE`` K along one coordinate each, no two along the same.

    Args:
        trainer: whose rule clips them.
        coordinates: int64 [m].
    """

    def __init__(self, trainer: AuditTrainer, coordinates: np.ndarray) -> None:
        self._trainer, self._coordinates = trainer, coordinates
        self._step, self._key, self._found = -1, b"", np.zeros(len(coordinates))

    @property
    def contributions(self) -> np.ndarray:
        """What each adds to a sum, on its own coordinate, at the trainer's step; float64 [m].

        Where the rule has the same scales for gradients of the same size as at an earlier step, its answer is kept.
        """
        trainer = self._trainer
        if trainer.step != self._step:
            self._step, clipper, context = trainer.step, trainer.plan.clipper, trainer.context
            assert clipper is not None
            size = LARGE * clipper.bound(context)
            norms = np.diag(np.full(len(trainer.plan.groups), size))  # one in each group, [L, L]
            scales = rounded_scales(trainer.backend, clipper, norms, context, trainer.dtype)
            key = np.float64(size).tobytes() + scales.tobytes()
            if key != self._key:
                self._key, self._found = key, self._clipped(size)
        return self._found

    def _clipped(self, size: float) -> np.ndarray:
        """Rows [b, D] go through ``usable_norms`` and ``weighted_sum``, as a batch's do. They are orthogonal, so the
        sum of many holds the contribution of each."""
        trainer, plan = self._trainer, self._trainer.plan
        assert plan.clipper is not None
        found = np.zeros(len(self._coordinates))
        step = max(1, _ROWS // plan.network.size)
        for start in range(0, len(found), step):
            some = self._coordinates[start : start + step]
            rows = np.zeros((len(some), plan.network.size), dtype=trainer.dtype)
            rows[np.arange(len(some)), some] = size
            norms, _ = usable_norms(trainer.backend, rows, plan.groups)
            total = weighted_sum(trainer.backend, plan.clipper, rows, norms, plan.groups, trainer.context)
            found[start : start + len(some)] = total[some]
        return found
