"""Weights that did not move: all of them, as where an empty batch is skipped, or those of some parameters."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training.moves import moves
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "update"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Exactly still, where a step was due."""
    seen = moves(view, stage)
    if seen is None or not seen.rate:
        return None
    still = [
        name for name, values in seen.found.items() if not np.any(values) and np.any(seen.expected[name])
    ]
    made = {name: np.zeros_like(v) if name in still else v for name, v in seen.expected.items()}
    if not still:
        return None
    if len(still) < len(made):
        text = f"{', '.join(still)} did not move, and the rest did as it should: left out of the optimizer"
        return seen.cause("parameters-not-updated", text, True, made, tolerance)
    if view.step.batch_size == 0:
        text = "no record was drawn, and the step was skipped: that tells, and the noise of an empty batch is due"
        return seen.cause("empty-batch-skipped", text, False, made, tolerance)
    return seen.cause(
        "update-skipped", "the weights did not move: the step was not taken", None, made, tolerance
    )
