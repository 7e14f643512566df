"""The step is taken with the clipped sum, or the plain one: the noise is drawn, and not used."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.moves import closest, moves
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import Arrays, StepView

STAGE = "update"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Either sum, divided as it should be."""
    seen = moves(view, stage)
    if seen is None:
        return None
    sums: list[tuple[str, str, Arrays]] = []
    if view.observed_sum is not None:
        sums.append(("update-without-noise", "the clipped sum, without its noise", view.observed_sum))
    if view.gradients is not None and view.norms is not None:
        plain = view.sum_with(np.ones(len(view.norms)))
        sums.append(
            ("update-without-privacy", "the plain sum of gradients, neither clipped nor noised", plain)
        )
    causes = []
    for id_, text, total in sums:
        mean = fits.scaled(total, 1.0 / seen.divisor)
        made = {n: -seen.rate * (seen.momentum * seen.velocity[n] + values) for n, values in mean.items()}
        causes.append(seen.cause(id_, f"the step is of {text}: it is not private", False, made, tolerance))
    return closest(causes)
