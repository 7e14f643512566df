"""Only biases differ: of a convolution, the mean over positions where the sum belongs; or something else."""

from __future__ import annotations

import math

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "gradients"
ESTIMATES = True


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Every parameter that differs is a bias, of some factor times what it should be; others agree."""
    if not fits.differs(stage) or view.reference is None:
        return None
    wrong = [d.name for d in stage.differences if d.relative > tolerance]
    if not all(map(fits.is_bias, wrong)) or len(wrong) == len(stage.differences):
        return None
    found = {name: np.asarray(view.step.grad_sample[name], dtype=np.float64) for name in wrong}
    factors = {name: fits.multiple({name: found[name]}, {name: view.reference[name]}) for name in wrong}
    if not all(math.isfinite(factor) and factor != 0.0 for factor in factors.values()):
        return None
    expected = {name: factors[name] * view.reference[name] for name in wrong}
    error = fits.misfit(found, expected)
    if error > tolerance:
        return None
    list_ = ", ".join(f"{name} {factor:.6g}" for name, factor in factors.items())
    text = f"weights agree, and biases are a factor times what they should be: {list_}"
    if all(0.0 < f < 1.0 and abs(1 / f - round(1 / f)) <= 1e-3 for f in factors.values()):
        text += "; 1 / the number of positions is a mean over them, where the sum belongs"
    return Cause("bias-gradient-scaled", text, True, error)
