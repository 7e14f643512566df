"""Per-sample gradients as recorded, beside refdp's.

A rectifier whose input is 0 but for rounding, or two values that a pooling window finds equal, may go either way in
single precision: then one sample's gradient jumps, whoever computes it. Such a sample tells nothing of the code. It is
known by its own gradient, which jumps in float64 too when the weights are moved by their rounding.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Stage, differences
from refdp.crosscheck.training.view import Arrays, StepView, double, inputs, norms_of, per_sample_gradients

NAME = "gradients"
NUDGE = 5e-7
"""Relative size of the random moves of weights: what float32 rounds a layer's output by, some units of 6e-8."""
NUDGES = 12
MOST_LEFT_OUT = 1 / 3
"""The largest share of a batch that rounding may decide; beyond it the stage differs, or cannot be judged."""


def judge(view: StepView, tolerance: float) -> Stage:
    """Every parameter's [B, *shape], within ``tolerance`` relative, and every sample's gradient (``apart``); samples
    that rounding decides are left out, and counted."""
    if not view.step.grad_sample:
        return Stage(NAME, MISSING, "grad_sample was not recorded")
    if view.reference is None:
        why = "the model is not known" if view.network is None else "x, y or param was not recorded"
        return Stage(NAME, MISSING, f"nothing to hold grad_sample against: {why}")
    recorded, against = dict(view.step.grad_sample), "refdp's explicit gradients in float64"
    found = differences(recorded, view.reference)
    if all(d.relative <= tolerance for d in found) and not apart(view, tolerance).any():
        return Stage(NAME, AGREES, against, found)
    undecided = decided_by_rounding(view, tolerance)
    if undecided.any() and undecided.mean() <= MOST_LEFT_OUT:
        others = differences(_rows(recorded, ~undecided), _rows(view.reference, ~undecided))
        if all(d.relative <= tolerance for d in others) and not apart(view, tolerance)[~undecided].any():
            figures = {"decided_by_rounding": int(undecided.sum()), "samples": len(undecided)}
            return Stage(NAME, AGREES, against, others, figures=figures)
    return Stage(NAME, DIFFERS, against, found)


def apart(view: StepView, tolerance: float) -> np.ndarray:
    """Which samples [B] differ by more than 100 ``tolerance`` of their own norm, and by more than ``tolerance`` of the
    middle norm: what one large gradient would hide in a figure for the whole batch.

    A sample that is predicted with confidence has a gradient of rounding: 1 - p is what is left of two numbers near 1.
    """
    reference = view.reference
    assert reference is not None
    norms, recorded = norms_of(reference), double(view.step.grad_sample)
    usable = np.isfinite(norms)
    middle = float(np.median(norms[usable])) if usable.any() else 0.0
    with np.errstate(all="ignore"):
        gap = norms_of({name: recorded[name] - values for name, values in reference.items()})
    return usable & ~(gap <= np.maximum(100 * tolerance * norms, tolerance * middle))


def decided_by_rounding(view: StepView, tolerance: float) -> np.ndarray:
    """Which samples differ [B], and by no more than ten times what moving the weights by NUDGE does to them."""
    step, network, reference = view.step, view.network, view.reference
    assert network is not None
    assert reference is not None
    assert step.x is not None
    assert step.y is not None
    with np.errstate(all="ignore"):
        norms, recorded = norms_of(reference), double(step.grad_sample)
        gap = norms_of({name: recorded[name] - values for name, values in reference.items()}) / norms
    off = np.flatnonzero(np.isfinite(gap) & (gap > tolerance))
    found = np.zeros(len(gap), dtype=bool)
    if not len(off) or len(off) > MOST_LEFT_OUT * len(gap):
        return found
    x, y = inputs(network, step.x[off], view.meta), step.y[off]
    rng, moved = np.random.default_rng(0), np.zeros(len(off))
    own = _rows(reference, off)
    for _ in range(NUDGES):
        nudged = {
            name: values * (1 + NUDGE * rng.standard_normal(values.shape))
            for name, values in double(step.params).items()
        }
        other = per_sample_gradients(network, nudged, x, y)
        moved = np.maximum(moved, norms_of({name: other[name] - own[name] for name in own}) / norms[off])
    found[off] = gap[off] <= 10 * moved
    return found


def _rows(arrays: Arrays, which: np.ndarray) -> Arrays:
    return {name: values[which] for name, values in arrays.items()}
