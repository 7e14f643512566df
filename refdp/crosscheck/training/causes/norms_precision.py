"""Norms in a narrower type: each has the few bits of bfloat16 or float16."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits, narrow
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "norms"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The type that holds all of them, and rounds by what they are off by."""
    if not fits.differs(stage) or view.step.norms is None:
        return None
    found = {"": np.asarray(view.step.norms, dtype=np.float64)}
    stored = narrow.stored_in(found, stage.relative)
    if stored is None:
        return None
    text = (
        f"every norm has only {stored[1]} bits, and they are off by {stage.relative:.1e}: computed in {stored[0]} "
        f"(unit roundoff 2^-{stored[1]}); a norm rounded down clips too little"
    )
    return Cause("norms-low-precision", text, False, stage.relative)
