"""Fewer noise multipliers: neighbours grouped in equal steps of the logarithm.

G1. "down" moves each multiplier to the least of its group, which dominates (less noise: post-processing); "up" to the
    greatest, which is dominated. "mean" keeps each group's mean of 1 / multiplier^2: close, and no bound.
"""

from __future__ import annotations

import math

import numpy as np


def regrouped(values: np.ndarray, counts: np.ndarray, bins: int, how: str) -> tuple[np.ndarray, np.ndarray]:
    """At most ``bins`` multipliers and their counts, of ascending ``values`` > 0 [M] and ``counts`` [M]."""
    if len(values) <= bins:
        return values, counts
    position = np.log(values / values[0]) / max(math.log(values[-1] / values[0]), 1e-300)
    starts = np.flatnonzero(np.diff(np.minimum((position * bins).astype(np.int64), bins - 1), prepend=-1))
    totals = np.add.reduceat(counts, starts)
    if how == "mean":
        return np.sqrt(totals / np.add.reduceat(counts / values**2, starts)), totals
    return values[starts if how == "down" else np.append(starts[1:], len(values)) - 1], totals
