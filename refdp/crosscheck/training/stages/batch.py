"""The batch itself: records that are drawn twice, and sizes that do not fit the sampler that was declared."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Cause, Stage
from refdp.crosscheck.training.view import StepView

NAME = "batch"


def judge(view: StepView, tolerance: float) -> Stage:
    """A record may be in a batch once: twice, it contributes twice what its gradient was clipped to."""
    index = view.step.batch_index
    if index is None:
        return Stage(NAME, MISSING, "batch_index was not recorded")
    values, counts = np.unique(index, return_counts=True)
    repeated = values[counts > 1]
    figures = {"records": len(index), "different": len(values)}
    if not len(repeated):
        return Stage(NAME, AGREES, "every record at most once", figures=figures)
    text = (
        f"{len(repeated)} records stand in the batch more than once (record {repeated[0]} "
        f"{counts[counts > 1][0]} times): each contributes that many times the clip norm; draw without repetition"
    )
    return Stage(
        NAME, DIFFERS, "every record at most once", (), (Cause("record-twice", text, False),), figures
    )
