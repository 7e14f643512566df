"""One figure for the whole batch: the norm of the summed or averaged gradient."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "norms"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """All norms equal, and equal to that."""
    norms = view.step.norms
    if not fits.differs(stage) or view.gradients is None or norms is None or len(norms) < 2:
        return None
    total = float(np.linalg.norm(fits.flat(view.sum_with(np.ones(len(norms))))))
    causes = []
    for words, value in (("summed", total), ("averaged", total / len(norms))):
        error = fits.misfit({"": norms}, {"": np.full(len(norms), value)})
        text = (
            f"all norms are that of the batch's {words} gradient, to {error:.1e}: nothing here is per sample"
        )
        causes.append(Cause("norms-of-the-batch", text, False, error))
    return fits.best(causes, tolerance)
