"""The right step times a factor of no known name: as at another learning rate."""

from __future__ import annotations

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.causes import update_scaled
from refdp.crosscheck.training.moves import moves
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "update"
ESTIMATES = True


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The factor, > 0, where ``update_scaled`` knows none."""
    seen = moves(view, stage)
    if seen is None or not seen.rate or update_scaled.explain(view, stage, tolerance) is not None:
        return None
    factor = fits.multiple(seen.found, seen.expected)
    if not factor > tolerance:
        return None
    text = (
        f"{factor:.6g} times the step: the learning rate was {factor * seen.rate:.6g}, recorded {seen.rate:g}"
    )
    return seen.cause("other-learning-rate", text, True, fits.scaled(seen.expected, factor), tolerance)
