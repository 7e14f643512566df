"""The sum of clipped gradients as recorded, beside Σ min(1, C / n_b) g_b."""

from __future__ import annotations

from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Stage, differences
from refdp.crosscheck.training.view import StepView

NAME = "clipped sum"


def judge(view: StepView, tolerance: float) -> Stage:
    """Every parameter's [*shape], within ``tolerance`` relative."""
    if not view.step.clipped_sum:
        return Stage(NAME, MISSING, "clipped_sum was not recorded")
    if view.clipped_sum is None:
        why = (
            "clip_norm was not recorded"
            if view.step.clip_norm is None
            else "neither gradients nor the model are known"
        )
        return Stage(NAME, MISSING, f"nothing to hold clipped_sum against: {why}")
    found = differences(dict(view.step.clipped_sum), view.clipped_sum)
    agrees = all(d.relative <= tolerance for d in found)
    source = "the recorded gradients" if view.step.grad_sample else "refdp's gradients"
    return Stage(NAME, AGREES if agrees else DIFFERS, f"{source}, clipped and added up in float64", found)
