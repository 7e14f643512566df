"""The noise multiplier squared or left out, or a variance in the place of a standard deviation."""

from __future__ import annotations

from refdp.crosscheck.training import noise_scales
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "noise"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """With s = noise_multiplier and std = s C: factors s, 1 / s, std and 1 / sqrt(std)."""
    multiplier, clip_norm = view.step.noise_multiplier, view.step.clip_norm
    if not multiplier or clip_norm is None:
        return None
    std = multiplier * clip_norm
    made = {
        "noise-multiplier-squared": (multiplier, "noise_multiplier squared, times the clip norm"),
        "noise-without-multiplier": (1 / multiplier, "the clip norm alone: noise_multiplier is left out"),
        "variance-as-deviation": (
            std,
            "the variance (noise_multiplier * clip_norm)² taken for a standard deviation",
        ),
        "deviation-as-variance": (std**-0.5, "noise_multiplier * clip_norm taken for a variance"),
    }
    return noise_scales.closest(stage, {key: (f, text, f >= 1.0) for key, (f, text) in made.items()})
