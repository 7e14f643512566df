"""The right norms, put through something: squared, capped at the clip norm, divided or multiplied by the batch size."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "norms"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Which of them gives the recorded figures."""
    if not fits.differs(stage) or view.norms is None or view.step.norms is None:
        return None
    made: list[tuple[str, str, bool | None, np.ndarray]] = [
        ("norms-squared", "squares of the norms: the root was not taken", None, view.norms**2),
    ]
    if view.step.clip_norm is not None:
        capped = np.minimum(view.norms, view.step.clip_norm)
        made.append(
            ("norms-capped", "norms after clipping, min(n, C), where those before are meant", True, capped)
        )
    for size, words in fits.sizes_of_batch(view).items():
        means = f"norms divided by {size:g}, {words}: norms of gradients of the mean loss"
        sums = f"norms times {size:g}, {words}"
        made.append(("norms-of-mean-loss", means, None, view.norms / size))
        made.append(("norms-times-batch", sums, None, view.norms * size))
    causes = []
    for id_, text, safe, norms in made:
        error = fits.misfit({"": view.step.norms}, {"": norms})
        causes.append(Cause(id_, f"{text}, to {error:.1e}", safe, error))
    return fits.best(causes, tolerance)
