"""Samples whose gradient rounding decides.

A rectifier whose input is 0 but for rounding, or two values that a pooling window finds equal, may go either way in
single precision: then one sample's gradient jumps, whoever computes it. Such a sample tells nothing of the code. It is
known by its own gradient, which jumps in float64 too when the weights are moved by their rounding.

So is a sample predicted with such confidence that 1 - p is what rounding leaves of two numbers near 1: its gradient is
tiny, and off by no more than a rounding of what it would be had the sample another label.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training.view import Arrays, StepView, inputs, norms_of, per_sample_gradients

NUDGE = 5e-7
"""Relative size of the random moves of weights: what float32 rounds a layer's output by, some units of 6e-8."""
NUDGES = 12
JUMP = 1e-5
"""A gradient that moves by no more than this jumps nowhere: the nudges move a smooth one by some of their own size."""
FLOOR = 0.1
"""In units of the tolerance, how far off a gradient may be relative to the same sample's at another label."""
ROOM = 3.0
"""How many times its largest move a sample's gradient may be off."""
MOST_LEFT_OUT = 1 / 3
"""The largest share of a batch that rounding may decide; beyond it nothing is left out."""


def moves(view: StepView, which: np.ndarray) -> np.ndarray:
    """How far the nudges move the gradients of these samples, relative to their norms: [len(which)].

    Args:
        view: of a step with a model, its input and its weights.
        which: places in the batch.
    """
    if not len(which):
        return np.zeros(0)
    step, network, reference = view.step, view.network, view.reference
    assert network is not None
    assert reference is not None
    assert step.x is not None
    assert step.y is not None
    x, y = inputs(network, step.x[which], view.meta), step.y[which]
    own = {name: values[which] for name, values in reference.items()}
    norms, found = norms_of(own), np.zeros(len(which))
    rng = np.random.default_rng(0)
    for _ in range(NUDGES):
        nudged = {
            name: values * (1 + NUDGE * rng.standard_normal(values.shape))
            for name, values in step.params.items()
        }
        other = per_sample_gradients(network, nudged, x, y)
        with np.errstate(all="ignore"):
            found = np.maximum(found, norms_of(_less(other, own)) / norms)
    return found


def undecided(view: StepView, gaps: np.ndarray, tolerance: float) -> np.ndarray:
    """Which samples [B] are off by more than ``tolerance``, and by no more than FLOOR allows, or ROOM times what the
    nudges do to them; of the second kind none where they would be more than MOST_LEFT_OUT of the batch.

    Args:
        gaps: [B], relative to the norms of refdp's gradients.
    """
    found = np.zeros(len(gaps), dtype=bool)
    off = np.flatnonzero(np.isfinite(gaps) & (gaps > tolerance))
    if len(off):
        found[off] = gaps[off] <= FLOOR * tolerance * _at_another_label(view, off)
    off = off[~found[off]]
    if len(off) and len(off) <= MOST_LEFT_OUT * len(gaps):
        moved = moves(view, off)
        found[off] = (moved > JUMP) & (gaps[off] <= ROOM * moved)
    return found


def _at_another_label(view: StepView, which: np.ndarray) -> np.ndarray:
    """Norms of these samples' gradients with the next label, relative to their own: [len(which)]."""
    step, network, reference = view.step, view.network, view.reference
    assert network is not None
    assert reference is not None
    assert step.x is not None
    assert step.y is not None
    labels = (step.y[which] + 1) % network.num_classes
    other = per_sample_gradients(network, step.params, inputs(network, step.x[which], view.meta), labels)
    with np.errstate(all="ignore"):
        return norms_of(other) / norms_of({name: values[which] for name, values in reference.items()})


def gaps(found: Arrays, expected: Arrays) -> np.ndarray:
    """|found - expected| / |expected| for each sample [B]."""
    with np.errstate(all="ignore"):
        return norms_of(_less(found, expected)) / norms_of(expected)


def _less(first: Arrays, second: Arrays) -> Arrays:
    return {name: first[name] - values for name, values in second.items()}
