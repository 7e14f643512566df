"""The right sum, divided or multiplied by something: the mean recorded as the sum, or clipped to norm 1.

Noise for C is then too much, or too little, by that factor.
"""

from __future__ import annotations

import math

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.causes import sum_clip_norm
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "clipped sum"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """One factor for all parameters, named where it is a known one."""
    clip_norm = view.step.clip_norm
    if not fits.differs(stage) or view.clipped_sum is None or clip_norm is None:
        return None
    found = double(view.step.clipped_sum)
    factor = fits.multiple(found, view.clipped_sum)
    if not math.isfinite(factor) or factor == 0.0:
        return None
    error = fits.misfit(found, fits.scaled(view.clipped_sum, factor))
    if error > tolerance:
        return None
    evidence = f"{factor:.6g} times the sum of clipped gradients, to {error:.1e}"
    for size, words in fits.sizes_of_batch(view).items():
        if fits.near(factor, 1.0 / size, tolerance):
            text = f"{evidence}: divided by {size:g}, {words}, already; noise belongs to the sum"
            return Cause("mean-as-sum", text, None, error)
    if fits.near(factor, 1.0 / clip_norm, tolerance):
        text = f"{evidence}: scaled to norm 1, min(1 / C, 1 / n) (De et al. 2022); its noise has no clip norm in it"
        return Cause("unit-norm", text, clip_norm >= 1.0, error)
    if fits.near(factor, -1.0, tolerance):
        return Cause("sum-sign", f"{evidence}: the sign is turned", True, error)
    if (
        sum_clip_norm.explain(view, stage, tolerance) is not None
    ):  # where all records are clipped, it is the same
        return None
    return Cause(
        "sum-scaled",
        f"{evidence}: a record contributes up to {abs(factor) * clip_norm:.4g}, if the factor is a constant",
        None if abs(factor) <= 1.0 else False,
        error,
    )
