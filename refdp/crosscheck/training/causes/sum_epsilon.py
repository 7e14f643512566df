"""C / (n + e) where C / n is meant: a small number against division by zero. Safe: contributions are smaller.

Opacus clips by C / (n + 1e-6), at most 1 (optimizers/optimizer.py, clip_and_accumulate); others have 1e-12. Where the
sum is within tolerance this is a remark, of which the residual's direction is the evidence: d sum / d e.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "clipped sum"
ESTIMATES = True
KNOWN = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
LEAST_CLIPPED = 3
LEFT = 0.5
"""Of the squared residual, what a remark may leave unexplained."""


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The e of ``KNOWN`` that is closest; with C / (n + e) at most 1."""
    clip_norm = view.step.clip_norm
    if not view.step.clipped_sum or view.clipped_sum is None or view.norms is None or clip_norm is None:
        return None
    if int((np.where(np.isfinite(view.norms), view.norms, 0.0) > clip_norm).sum()) < LEAST_CLIPPED:
        return None
    found = double(view.step.clipped_sum)
    residual = fits.added(found, view.clipped_sum, -1.0)
    square = fits.inner(residual, residual)
    if not 0.0 < square < np.inf:
        return None
    for epsilon in KNOWN:
        with np.errstate(invalid="ignore"):
            scales = np.minimum(1.0, clip_norm / (view.norms + epsilon))
        made = view.sum_with(scales)
        change = fits.added(made, view.clipped_sum, -1.0)
        left = fits.added(residual, change, -1.0)
        explained = 1.0 - fits.inner(left, left) / square
        part = fits.multiple(residual, change)
        error = fits.misfit(found, made)
        if error <= tolerance and abs(part - 1.0) <= 0.1 and explained >= 1.0 - LEFT:
            text = (
                f"clipped by min(1, C / (n + {epsilon:g})): that explains {explained:.1%} of the squared residual "
                f"(best e {epsilon * part:.4g}); contributions are smaller by {epsilon:g} / n at most, so it is safe"
            )
            return Cause("clip-epsilon", text, True, error)
    return None
