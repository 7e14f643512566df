"""Another measure of size than the Euclidean norm."""

from __future__ import annotations

from refdp.crosscheck.training import fits, other_norms
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "norms"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The measure, where one of ``other_norms.by_measure`` gives the recorded figures."""
    if not fits.differs(stage) or view.gradients is None or view.step.norms is None:
        return None
    causes = []
    for words, norms in other_norms.by_measure(view.gradients).items():
        error = fits.misfit({"": view.step.norms}, {"": norms})
        text = f"{words}, to {error:.1e}, where the Euclidean norm over all parameters is meant"
        safe = "sum of" in words  # never below the Euclidean norm
        causes.append(Cause("norms-of-another-measure", text, safe, error))
    return fits.best(causes, tolerance)
