"""Per-sample gradients as recorded, beside refdp's."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import kinks
from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Stage, differences
from refdp.crosscheck.training.view import Arrays, StepView, double, norms_of

NAME = "gradients"


def judge(view: StepView, tolerance: float) -> Stage:
    """Every parameter's [B, *shape], within ``tolerance`` relative, and every sample's gradient (``apart``); samples
    that rounding decides (``kinks``) are left out, and counted."""
    if not view.step.grad_sample:
        return Stage(NAME, MISSING, "grad_sample was not recorded")
    if view.reference is None:
        why = "the model is not known" if view.network is None else "x, y or param was not recorded"
        return Stage(NAME, MISSING, f"nothing to hold grad_sample against: {why}")
    recorded, against = double(view.step.grad_sample), "refdp's explicit gradients in float64"
    found = differences(recorded, view.reference)
    rows = apart(recorded, view.reference, tolerance)
    if all(d.relative <= tolerance for d in found) and not rows.any():
        return Stage(NAME, AGREES, against, found)
    left_out = kinks.undecided(view, kinks.gaps(recorded, view.reference), tolerance)
    if left_out.any() and not rows[~left_out].any():
        others = differences(_rows(recorded, ~left_out), _rows(view.reference, ~left_out))
        if all(d.relative <= tolerance for d in others):
            figures = {"decided_by_rounding": int(left_out.sum()), "samples": len(left_out)}
            return Stage(NAME, AGREES, against, others, figures=figures)
    return Stage(NAME, DIFFERS, against, found)


def apart(recorded: Arrays, reference: Arrays, tolerance: float) -> np.ndarray:
    """Which samples [B] differ by more than 100 ``tolerance`` of their own norm, and by more than ``tolerance`` of the
    middle norm: what one large gradient would hide in a figure for the whole batch.

    A sample that is predicted with confidence has a gradient of rounding: 1 - p is what is left of two numbers near 1.
    """
    norms = norms_of(reference)
    usable = np.isfinite(norms)
    middle = float(np.median(norms[usable])) if usable.any() else 0.0
    with np.errstate(all="ignore"):
        gap = norms_of({name: recorded[name] - values for name, values in reference.items()})
    return usable & ~(gap <= np.maximum(100 * tolerance * norms, tolerance * middle))


def _rows(arrays: Arrays, which: np.ndarray) -> Arrays:
    return {name: values[which] for name, values in arrays.items()}
