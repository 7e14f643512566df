"""The noise of some parameters is right, and of others too large or too small."""

from __future__ import annotations

import numpy as np
from scipy import stats

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "noise"
UNEQUAL, RIGHT = 1e-10, 1e-3
"""p-values: of one scale for all parameters (Bartlett's test), and of a parameter's own scale to be right."""
LEAST = 5


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """No one scale fits all parameters, but the right one fits some."""
    ratios = stage.figures.get("by_parameter")
    if not fits.differs(stage) or not ratios or view.noise is None or min(ratios.values()) < 1e-3:
        return None
    sizes = {name: view.noise[name].size for name in ratios if view.noise[name].size >= LEAST}
    total = sum(sizes.values())
    if len(sizes) < 2 or not all(np.isfinite(ratios[name]) for name in sizes):
        return None
    pooled = sum(size * ratios[name] ** 2 for name, size in sizes.items()) / total
    spread = sum(size * np.log(pooled / ratios[name] ** 2) for name, size in sizes.items())
    wrong = {name: ratios[name] for name, size in sizes.items() if _p_value(size, ratios[name]) < RIGHT}
    if stats.chi2.sf(spread, len(sizes) - 1) > UNEQUAL or not 0 < len(wrong) < len(sizes):
        return None
    listed = ", ".join(f"{name} {ratio:.4g}" for name, ratio in wrong.items())
    text = (
        f"the noise's scale differs by parameter: {listed} times what it should be, and the others are right"
    )
    return Cause("noise-by-parameter", text, None if min(wrong.values()) > 1 else False, 0.0)


def _p_value(size: int, ratio: float) -> float:
    """Two-sided, of the chi-square of so many draws at the right scale."""
    square = size * ratio**2
    return float(2 * min(stats.chi2.cdf(square, size), stats.chi2.sf(square, size)))
