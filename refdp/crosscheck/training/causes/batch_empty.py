"""A batch without records that was skipped: no noise recorded, or weights left as they were."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "batch"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """A step of noise alone is due, and is missing."""
    step = view.step
    if step.batch_size != 0 or not step.noise_multiplier:
        return None
    still = bool(step.params_after) and all(
        name in step.params and np.array_equal(values, step.params[name])
        for name, values in step.params_after.items()
    )
    if not still:
        return None
    noise = "was recorded, and not used" if step.noised_sum else "was not recorded either"
    text = (
        f"no record was drawn, and the weights stayed as they were (noise {noise}): a skipped step tells that the "
        f"batch was empty; take a step of noise alone"
    )
    return Cause("empty-batch-skipped", text, False)
