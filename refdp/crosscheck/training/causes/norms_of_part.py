"""Norms of one parameter, or of one layer, where those of all of them are meant."""

from __future__ import annotations

from refdp.crosscheck.training import fits, other_norms
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "norms"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The part whose norms they are."""
    if not fits.differs(stage) or view.gradients is None or view.step.norms is None:
        return None
    causes = []
    for name, norms in other_norms.of_parts(view.gradients).items():
        error = fits.misfit({"": view.step.norms}, {"": norms})
        text = f"norms of {name} alone, to {error:.1e}, where those of all parameters together are meant"
        causes.append(Cause("norms-of-one-part", text, False, error))
    return fits.best(causes, tolerance)
