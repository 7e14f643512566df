"""Gradients summed or averaged in groups first, and clipped then: micro-batches, or the whole batch.

A group's gradient changes arbitrarily within the ball when one of its records is added: the sum moves by 2 C. (Micro-
batches of TensorFlow Privacy are such groups, of consecutive samples: its sensitivity is counted so.)
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "clipped sum"
ESTIMATES = True


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Groups of every size that divides the batch's, where at least one of them is clipped."""
    clip_norm, gradients = view.step.clip_norm, view.gradients
    if not fits.differs(stage) or gradients is None or view.usable is None or clip_norm is None:
        return None
    size = len(view.usable)
    if not view.usable.all():
        return None
    found, causes = double(view.step.clipped_sum), []
    for k in (k for k in range(2, size + 1) if size % k == 0):
        sums = {n: values.reshape(-1, k, *values.shape[1:]).sum(axis=1) for n, values in gradients.items()}
        norms = np.sqrt(np.square(fits.tensor_norms(sums)).sum(axis=1))
        who = "the whole batch" if k == size else f"groups of {k} consecutive samples"
        for how, share, times in (
            ("summed", 1.0, 1.0),
            ("averaged", 1.0 / k, 1.0),
            (f"averaged (and taken {k} times)", 1.0 / k, float(k)),
        ):
            scales = fits.clip_scales(share * norms, clip_norm)
            if share * times == 1.0 and (scales == 1.0).all():  # not clipped at all: said elsewhere
                continue
            made = {n: np.tensordot(times * share * scales, values, axes=1) for n, values in sums.items()}
            error = fits.misfit(found, made)
            text = (
                f"{who} {how} first, clipped to {clip_norm:g} then, to {error:.1e}: one record moves that by up "
                f"to {2 * times * clip_norm:g}"
            )
            causes.append(Cause("batch-clipped" if k == size else "micro-batch-clipped", text, False, error))
    return fits.best(causes, tolerance)
