"""The right norms in another order than the samples'."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "norms"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Sorted, they agree."""
    if not fits.differs(stage) or view.norms is None or view.step.norms is None:
        return None
    error = fits.misfit({"": np.sort(view.step.norms)}, {"": np.sort(view.norms)})
    text = f"the norms are right, to {error:.1e}, but in another order: each sample is clipped by another one's norm"
    return fits.best([Cause("norms-out-of-order", text, False, error)], tolerance)
