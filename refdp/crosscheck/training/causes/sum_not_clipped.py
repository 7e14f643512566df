"""Gradients that are not clipped, or only entry by entry: entries clamped to C move the sum by C sqrt(D)."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "clipped sum"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The plain sum, or that of clamped entries."""
    clip_norm = view.step.clip_norm
    if not fits.differs(stage) or view.gradients is None or view.usable is None or clip_norm is None:
        return None
    if view.norms is None or not view.usable.any():
        return None
    found, largest = double(view.step.clipped_sum), float(view.norms[view.usable].max())
    error = fits.misfit(found, view.sum_with(np.ones(len(view.norms))))
    text = f"the plain sum, to {error:.1e}: gradients of norm {largest:.4g} are not clipped to {clip_norm:g}"
    causes = [Cause("not-clipped", text, False, error)]
    if largest < np.inf:
        clamped = {
            name: np.clip(values[view.usable], -clip_norm, clip_norm).sum(axis=0)
            for name, values in view.gradients.items()
        }
        error = fits.misfit(found, clamped)
        text = f"each entry clamped to {clip_norm:g}, to {error:.1e}: that bounds no record's gradient by it"
        causes.append(Cause("entries-clamped", text, False, error))
    return fits.best(causes, tolerance)
