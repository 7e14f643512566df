"""λ times the weights in every row: weight decay as part of the loss.

Clipped with the rest it takes room under the clip norm from the data; added after the noise it costs no privacy.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "gradients"
ESTIMATES = True


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """One λ for all rows and parameters."""
    if not fits.differs(stage) or view.reference is None:
        return None
    found = double(view.step.grad_sample)
    weights = {
        name: np.broadcast_to(np.asarray(values, dtype=np.float64), found[name].shape)
        for name, values in view.step.params.items()
    }
    decay = fits.multiple(fits.added(found, view.reference, -1.0), weights)
    if not np.isfinite(decay) or decay == 0.0:
        return None
    error = fits.misfit(found, fits.added(view.reference, weights, decay))
    text = (
        f"every row has {decay:.4g} times the weights added, to {error:.1e}: weight decay within the loss, "
        f"which clipping then cuts with the gradient; apply it to the noised sum"
    )
    return fits.best([Cause("weight-decay-in-loss", text, True, error)], tolerance)
