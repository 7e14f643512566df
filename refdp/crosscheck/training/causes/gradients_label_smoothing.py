"""Label smoothing in the loss: (1 - a) of the label's gradient, a of the mean over all classes (arXiv 1512.00567)."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import Arrays, StepView, double, inputs, per_sample_gradients

STAGE = "gradients"
ESTIMATES = True
MOST_CLASSES = 100


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """One a in (0, 1] for all rows."""
    step, network = view.step, view.network
    if (
        not fits.differs(stage)
        or network is None
        or step.x is None
        or step.y is None
        or view.reference is None
    ):
        return None
    if network.num_classes > MOST_CLASSES:
        return None
    x, mean = inputs(network, step.x, view.meta), dict[str, np.ndarray]()
    for label in range(network.num_classes):
        own: Arrays = per_sample_gradients(network, step.params, x, np.full_like(step.y, label))
        mean = {name: mean.get(name, 0.0) + values / network.num_classes for name, values in own.items()}
    found = double(step.grad_sample)
    towards = fits.added(mean, view.reference, -1.0)
    share = fits.multiple(fits.added(found, view.reference, -1.0), towards)
    if not tolerance < share <= 1.0:
        return None
    error = fits.misfit(found, fits.added(view.reference, towards, share))
    text = f"gradients of cross-entropy with label smoothing {share:.4g}, to {error:.1e}; the model's loss has none"
    return fits.best([Cause("label-smoothing", text, True, error)], tolerance)
