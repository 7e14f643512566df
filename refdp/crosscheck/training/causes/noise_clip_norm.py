"""Noise without the clip norm in it, or with it twice."""

from __future__ import annotations

from refdp.crosscheck.training import noise_scales
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "noise"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Factors 1 / C and C."""
    clip_norm = view.step.clip_norm
    if clip_norm is None:
        return None
    without = "noise_multiplier alone: the clip norm is left out"
    candidates = {
        "noise-without-clip-norm": (1 / clip_norm, without, clip_norm <= 1),
        "clip-norm-twice": (clip_norm, "the clip norm is multiplied in twice", clip_norm >= 1),
    }
    return noise_scales.closest(stage, candidates)
