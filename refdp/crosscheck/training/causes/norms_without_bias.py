"""Norms over weights alone: the bias is left out, as a ghost norm of the weight alone does."""

from __future__ import annotations

from refdp.crosscheck.training import fits, other_norms
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "norms"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The recorded norms are those of everything but biases."""
    if not fits.differs(stage) or view.gradients is None or view.step.norms is None:
        return None
    norms = other_norms.without_bias(view.gradients)
    if norms is None:
        return None
    error = fits.misfit({"": view.step.norms}, {"": norms})
    text = (
        f"norms of the weights' gradients alone, to {error:.1e}: biases are left out. Clipped by these, a record "
        f"contributes more than the clip norm"
    )
    return fits.best([Cause("norms-without-bias", text, False, error)], tolerance)
