"""Per-sample gradient norms as recorded, beside those of the gradients."""

from __future__ import annotations

from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Stage, differences
from refdp.crosscheck.training.view import StepView

NAME = "norms"


def judge(view: StepView, tolerance: float) -> Stage:
    """[B], within ``tolerance`` relative each."""
    if view.step.norms is None:
        return Stage(NAME, MISSING, "norms were not recorded")
    if view.norms is None:
        return Stage(
            NAME, MISSING, "nothing to hold norms against: neither gradients nor the model are known"
        )
    found = differences({"norms": view.step.norms}, {"norms": view.norms})
    agrees = all(d.relative <= tolerance for d in found)
    source = "the recorded gradients" if view.step.grad_sample else "refdp's gradients"
    return Stage(NAME, AGREES if agrees else DIFFERS, f"norms of {source}", found)
