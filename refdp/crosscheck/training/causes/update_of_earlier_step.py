"""The step is taken with the noised sum of the step before: a stale gradient."""

from __future__ import annotations

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.moves import closest, moves
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "update"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Its sum alone, or added to this step's."""
    seen = moves(view, stage)
    released = StepView(view.earlier[-1], view.network, view.meta).released if view.earlier else None
    if seen is None or released is None or released.keys() != seen.gradient.keys():
        return None
    old = fits.scaled(released, 1.0 / seen.divisor)
    memory = {n: seen.momentum * v for n, v in seen.velocity.items()}
    causes = []
    for id_, text, mean in (
        ("stale-sum", "the noised sum of the step before is used again", old),
        (
            "sum-not-cleared",
            "the noised sum of the step before is added in again",
            fits.added(old, seen.gradient),
        ),
    ):
        made = fits.scaled(fits.added(memory, mean), -seen.rate)
        causes.append(seen.cause(id_, f"{text}: clear gradients after each step", True, made, tolerance))
    return closest(causes)
