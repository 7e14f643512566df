"""Every gradient is one factor times what it should be: a mean in the loss, a loss scale that was left in, a sign.

Opacus takes ``loss_reduction`` and multiplies by the batch size where it is "mean" (GradSampleModule, in
capture_backprops): told wrongly, the batch size is left in or put in. A mixed-precision loss scaler multiplies by a
power of two.
"""

from __future__ import annotations

import math

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "gradients"
ESTIMATES = True


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """One factor for all parameters and samples, named where it is a known one."""
    if not fits.differs(stage) or view.reference is None:
        return None
    found = double(view.step.grad_sample)
    factor = fits.multiple(found, view.reference)
    if not math.isfinite(factor) or factor == 0.0:
        return None
    error = fits.misfit(found, fits.scaled(view.reference, factor))
    if error > tolerance:
        return None
    return _named(view, factor, error, tolerance)


def _named(view: StepView, factor: float, error: float, tolerance: float) -> Cause:
    evidence = f"all gradients are {factor:.6g} times refdp's, to {error:.1e}"
    if fits.near(factor, -1.0, tolerance):
        return Cause("gradients-sign", f"{evidence}: the sign is turned, so a step climbs", True, error)
    for size, words in fits.sizes_of_batch(view).items():
        text = (
            f"{evidence}, where {size:g} is {words}; use the gradients of each sample's own loss. Clipped as they are, "
            f"the clip norm means another one for each batch size, and under Poisson sampling one record moves all"
        )
        if fits.near(factor, 1.0 / size, tolerance):
            return Cause("mean-loss", f"{text} (loss_reduction: mean read as sum)", None, error)
        if fits.near(factor, size, tolerance):
            return Cause("loss-times-batch", f"{text} (loss_reduction: sum read as mean)", None, error)
    power = math.log2(factor) if factor > 0 else 0.5
    if round(power) >= 1 and abs(power - round(power)) <= tolerance:
        text = f"{evidence}: a loss scale of 2^{round(power)} was not taken out before clipping"
        return Cause("loss-scale", text, True, error)
    return Cause("gradients-scaled", f"{evidence}: the loss is multiplied by that", None, error)
