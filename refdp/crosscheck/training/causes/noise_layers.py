"""Noise for the sensitivity of L parts clipped to C each, C sqrt(L): Opacus's DPPerLayerOptimizer does so."""

from __future__ import annotations

from refdp.crosscheck.training import fits, noise_scales
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "noise"
ESTIMATES = True


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """sqrt(L), for parameters and for layers."""
    names = stage.figures.get("by_parameter", {})
    causes = []
    for words, number in (
        ("parameters", len(names)),
        ("layers", len({fits.layer_of(name) for name in names})),
    ):
        if number > 1:
            text = f"sqrt({number}) times the noise: for {number} {words}, each clipped to the clip norm"
            causes.append(noise_scales.closest(stage, {"noise-for-layers": (number**0.5, text, True)}))
    return min((c for c in causes if c is not None), key=lambda cause: cause.error, default=None)
