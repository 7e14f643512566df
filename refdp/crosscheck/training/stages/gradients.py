"""Per-sample gradients as recorded, beside refdp's."""

from __future__ import annotations

from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Stage, differences
from refdp.crosscheck.training.view import StepView

NAME = "gradients"


def judge(view: StepView, tolerance: float) -> Stage:
    """Every parameter's [B, *shape], within ``tolerance`` relative."""
    if not view.step.grad_sample:
        return Stage(NAME, MISSING, "grad_sample was not recorded")
    if view.reference is None:
        why = "the model is not known" if view.network is None else "x, y or param was not recorded"
        return Stage(NAME, MISSING, f"nothing to hold grad_sample against: {why}")
    found = differences(dict(view.step.grad_sample), view.reference)
    agrees = all(d.relative <= tolerance for d in found)
    return Stage(NAME, AGREES if agrees else DIFFERS, "refdp's explicit gradients in float64", found)
