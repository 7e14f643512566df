"""Noise for another sensitivity: 2 C, as replacing a record takes, or half of C."""

from __future__ import annotations

from refdp.crosscheck.training import noise_scales
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "noise"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Factors 2 and 1 / 2."""
    candidates: noise_scales.Candidates = {
        "noise-doubled": (2.0, "twice the noise, for a sensitivity of 2 C (replace-one)", True),
        "noise-halved": (
            0.5,
            "half the noise: a sensitivity of C / 2, or a multiplier for replace-one read wrongly",
            False,
        ),
    }
    return noise_scales.closest(stage, candidates)
