"""The weights shrink besides: weight decay, on all parameters or on all but biases and scales of norms."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.moves import closest, moves
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "update"
ESTIMATES = True


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """One λ: what is left of the move is -rate λ theta."""
    seen = moves(view, stage)
    if seen is None or not seen.rate:
        return None
    left = fits.added(seen.found, seen.expected, -1.0)
    causes = []
    for words, least in (("all parameters", 0), ("parameters of two axes or more", 2)):
        decayed = {n: v if v.ndim >= least else np.zeros_like(v) for n, v in seen.params.items()}
        part = fits.multiple(left, decayed)
        if not np.isfinite(part) or part == 0.0:
            continue
        text = (
            f"{words} move by {part:.5g} times themselves besides: weight decay {-part / seen.rate:.5g} "
            f"(or {-part:.5g}, apart from the learning rate), which was not recorded"
        )
        made = fits.added(seen.expected, decayed, part)
        causes.append(seen.cause("weight-decay", text, True, made, tolerance))
    return closest(causes)
