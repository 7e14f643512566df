"""The norm in min(1, C / n) with a wrong power: squared, or its root."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "clipped sum"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The closest of C / n², (C / n)², sqrt(C / n) and C / sqrt(n)."""
    clip_norm = view.step.clip_norm
    if not fits.differs(stage) or view.norms is None or clip_norm is None:
        return None
    n = np.where(np.isfinite(view.norms) & (view.norms > 0), view.norms, 1.0)
    with np.errstate(over="ignore"):
        made = {
            "C / n²": clip_norm / n**2,
            "(C / n)²": (clip_norm / n) ** 2,
            "sqrt(C / n)": np.sqrt(clip_norm / n),
            "C / sqrt(n)": clip_norm / np.sqrt(n),
        }
    found, causes = double(view.step.clipped_sum), []
    for words, scales in made.items():
        scales = np.minimum(1.0, scales)
        if (scales == 1.0).all():
            continue
        error, longest = fits.misfit(found, view.sum_with(scales)), float((scales * n).max(initial=0.0))
        text = f"clipped by min(1, {words}), to {error:.1e}: contributions up to {longest:.4g}, clip_norm {clip_norm:g}"
        causes.append(Cause("clip-power", text, words == "(C / n)²", error))
    return fits.best(causes, tolerance)
