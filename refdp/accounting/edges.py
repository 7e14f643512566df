"""Where a tilted mixture has run out into Gaussian tails.

The log density of the law proportional to phi A^{1+c} B^{-c} has slope
    -t + ((1+c) E_A - c E_B) / sigma,
E_A and E_B being the posterior mean of the means at t, which rise with t: on a half line the slope is bounded by its
value with each at its least or greatest there.

G1. Beyond the edges the density falls at least as fast as e^{-REACH |t|}.
"""

from __future__ import annotations

import numpy as np

from refdp.accounting.pairs import Pair

REACH = 9.5


def edges(pair: Pair, sigmas: np.ndarray, tilt: float) -> tuple[float, float]:
    """(low, high) for an oriented pair, good for every noise multiplier of ``sigmas`` [M]."""
    (low_p, high_p), (low_q, high_q) = pair.p.span, pair.q.span

    def right(t: np.ndarray) -> np.ndarray:
        return t - ((1 + tilt) * high_p - tilt * pair.q.mean(t, sigmas)) / sigmas >= REACH

    def left(t: np.ndarray) -> np.ndarray:
        return -t + ((1 + tilt) * low_p - tilt * pair.q.mean(t, sigmas)) / sigmas >= REACH

    far_right = REACH + np.maximum(((1 + tilt) * high_p - tilt * low_q) / sigmas, 0.0)
    far_left = -REACH + np.minimum(((1 + tilt) * low_p - tilt * high_q) / sigmas, 0.0)
    if not pair.q.means:
        return float(far_left.min()), float(far_right.max())
    return float(_bisect(left, far_left, -REACH).min()), float(_bisect(right, far_right, REACH).max())


def _bisect(holds: object, far: np.ndarray, near: float) -> np.ndarray:
    """A point between ``far`` (where it holds) and ``near`` where it holds, close to where it begins to."""
    inner = np.full(far.shape, near)
    for _ in range(10):
        middle = 0.5 * (inner + far)
        good = holds(middle)  # type: ignore[operator]
        far, inner = np.where(good, middle, far), np.where(good, inner, middle)
    return far
