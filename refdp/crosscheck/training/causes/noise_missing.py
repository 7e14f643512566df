"""No noise: on all parameters, on some of them, or noise where none was declared."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "noise"
NOTHING = 1e-3
"""Of the noise's standard deviation: what rounding leaves, and noise does not."""


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Which parameters have none."""
    if not fits.differs(stage) or view.noise is None or view.step.noise_multiplier is None:
        return None
    if view.step.noise_multiplier == 0:
        largest = max((float(np.abs(values).max(initial=0.0)) for values in view.noise.values()), default=0.0)
        text = f"noise_multiplier is 0, and the noised sum is off the clipped sum by up to {largest:.4g}"
        return Cause("noise-undeclared", text, None)
    ratios = stage.figures.get("by_parameter")
    if not ratios:
        return None
    bare = [name for name, ratio in ratios.items() if ratio < NOTHING and view.noise[name].size > 1]
    if not bare:
        return None
    largest = max(ratios[name] for name in bare)
    evidence = f"what is there is {largest:.1e} of the noise's standard deviation at most"
    if len(bare) == len(ratios):
        text = f"no parameter has noise: {evidence}; the step is not private"
        return Cause("noise-missing", text, False, largest)
    text = f"no noise on {', '.join(bare)}: {evidence}; nothing protects these"
    return Cause("noise-missing-on-parameters", text, False, largest)
