"""Some parameters have no gradient at all, and the rest agree: frozen, forgotten, or without a rule for them."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "gradients"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """What differs is zero throughout, and what is not zero agrees."""
    if not fits.differs(stage) or view.reference is None:
        return None
    wrong = [d.name for d in stage.differences if d.relative > tolerance]
    if any(np.any(view.step.grad_sample[name]) for name in wrong):
        return None
    error = max((d.relative for d in stage.differences if d.name not in wrong), default=0.0)
    text = f"zero for {', '.join(wrong)}, the rest right to {error:.1e}: these parameters are left out"
    id_ = "bias-gradient-zero" if all(map(fits.is_bias, wrong)) else "gradient-left-out"
    return Cause(id_, text, True, error)
