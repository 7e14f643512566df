"""The right rows in another order: batch and gradients were not recorded together."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "gradients"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Each recorded row is another sample's, each sample's once."""
    if not fits.differs(stage) or view.reference is None:
        return None
    found, expected = fits.rows(double(view.step.grad_sample)), fits.rows(view.reference)
    if not (np.isfinite(found).all() and np.isfinite(expected).all()):
        return None
    squares = np.square(expected).sum(axis=1)
    nearest = np.argmin(squares[None, :] - 2.0 * found @ expected.T, axis=1)
    if len(np.unique(nearest)) < len(nearest):
        return None
    moved = nearest != np.arange(len(nearest))
    reordered = {name: values[nearest] for name, values in view.reference.items()}
    error = fits.misfit(double(view.step.grad_sample), reordered)
    if error > tolerance or not moved.any():
        return None
    first = int(np.flatnonzero(moved)[0])
    text = (
        f"the rows are the expected ones in another order, to {error:.1e}: {int(moved.sum())} of {len(moved)} are "
        f"moved, row {first} is that of sample {nearest[first]}"
    )
    return Cause("rows-out-of-order", text, True, error)
