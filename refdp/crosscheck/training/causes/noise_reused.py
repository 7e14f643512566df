"""The same draws again: of the step before, in another parameter, or one value for many entries."""

from __future__ import annotations

import itertools

import numpy as np

from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import Arrays, StepView
from refdp.traces import TracedStep

STAGE = "noise"
SAME = 1e-3
"""Relative: noise is known to the rounding of the sums it was added to."""
LEAST = 4
FIRST = 16


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Noise that is known already, and so can be taken off."""
    if view.noise is None or not view.step.noise_multiplier or view.step.clip_norm is None:
        return None
    std = view.step.noise_multiplier * view.step.clip_norm
    own = {name: values / std for name, values in view.noise.items()}
    return _before(view, own) or _elsewhere(own) or _broadcast(own)


def _before(view: StepView, own: Arrays) -> Cause | None:
    for number in range(len(view.earlier) - 1, -1, -1):
        step = view.earlier[number]
        if not step.clipped_sum or not step.noised_sum or not step.noise_multiplier or step.clip_norm is None:
            continue
        if not _begins_alike(step, own, step.noise_multiplier * step.clip_norm):
            continue
        old = StepView(step).noise
        assert old is not None
        shared = [name for name in own if name in old and old[name].shape[1:] == own[name].shape[1:]]
        if not shared:
            continue
        first = np.concatenate([own[name][0].ravel() for name in shared])
        second = np.concatenate([old[name][0].ravel() for name in shared]) / (
            step.noise_multiplier * step.clip_norm
        )
        error = _distance(first, second)
        if error <= SAME:
            text = (
                f"the noise is that of step {number} again, to {error:.1e}: the generator is seeded at every step; the "
                f"difference of the two sums has no noise at all"
            )
            return Cause("noise-of-an-earlier-step", text, False, error)
    return None


def _begins_alike(step: TracedStep, own: Arrays, std: float) -> bool:
    """Whether the first draws of a parameter that both have are the same: most steps are told apart by these."""
    name = next((name for name in own if name in step.noised_sum and own[name].size), None)
    if name is None or name not in step.clipped_sum:
        return False
    noised, total = step.draws(name)[0].ravel()[:FIRST], step.clipped_sum[name].ravel()[:FIRST]
    own_first = own[name][0].ravel()[:FIRST]
    return (
        len(noised) == len(own_first)
        and _distance(own_first, (noised.astype(float) - total) / std) <= 10 * SAME
    )


def _elsewhere(own: Arrays) -> Cause | None:
    for a, b in itertools.combinations(own, 2):
        size = min(own[a][0].size, own[b][0].size)
        error = _distance(own[a][0].ravel()[:size], own[b][0].ravel()[:size]) if size >= LEAST else np.inf
        if error <= SAME:
            text = f"{a} and {b} begin with the same {size} draws, to {error:.1e}: the generator is seeded for each"
            return Cause("noise-of-another-parameter", text, False, error)
    return None


def _broadcast(own: Arrays) -> Cause | None:
    for name, values in own.items():
        drawn = values[0]
        for axis in range(drawn.ndim):
            spread = drawn - np.take(drawn, [0], axis=axis)
            error = float(np.abs(spread).max() / max(float(np.abs(drawn).max()), 1e-30))
            if drawn.shape[axis] >= LEAST and np.abs(drawn).max() > SAME and error <= SAME:
                text = f"{name} has one draw for all {drawn.shape[axis]} entries along axis {axis}, to {error:.1e}"
                return Cause("noise-broadcast", text, False, error)
    return None


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    length = float(np.linalg.norm(second))
    if len(first) < LEAST or length <= SAME * len(second) ** 0.5:  # of nothing, nothing is the same
        return float("inf")
    return float(np.linalg.norm(first - second) / length)
