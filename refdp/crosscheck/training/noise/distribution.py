"""Whether noise is normal: its whole distribution, and its largest draw."""

from __future__ import annotations

import math

import numpy as np
from scipy import special, stats

from refdp.crosscheck.training.noise.sample import Pool


def normal(pool: Pool, ratio: float = 1.0) -> tuple[float, float]:
    """Kolmogorov-Smirnov against N(0, ratio^2): p-value by the statistic's exact law, and the statistic.

    Entries that are off by e, |e| <= E together, move the distribution function by at most 0.4 t + (E / t)^2 / n for
    any t > 0 (0.4 bounds the density; at most (E / t)^2 of n entries are off by more than t); t = (5 E^2 / n)^(1/3)
    makes that 0.6 t.
    """
    values = np.sort(pool.values) / ratio
    n = values.size
    below, steps = special.ndtr(values), np.arange(n + 1) / n
    distance = float(max((steps[1:] - below).max(), (below - steps[:-1]).max()))
    room = 0.6 * (5 * (pool.error / ratio) ** 2 / n) ** (1 / 3)
    return (float(stats.kstwo.sf(distance - room, n)) if distance > room else 1.0), distance


def largest(pool: Pool) -> tuple[float, float]:
    """Two-sided p-value of the largest |z|, and it: P(max <= x) = (1 - 2 Phi(-x))^n."""
    sizes = np.abs(pool.values)
    room = pool.rounding + pool.sum_error
    most, least, n = float((sizes + room).max()), float((sizes - room).max()), sizes.size
    return min(1.0, 2 * min(_at_most(most, n), _at_least(least, n))), float(sizes.max())


def _at_most(x: float, n: int) -> float:
    beyond = 2 * special.ndtr(-x)
    return math.exp(n * math.log1p(-beyond)) if beyond < 1 else 0.0


def _at_least(x: float, n: int) -> float:
    beyond = 2 * special.ndtr(-x) if x > 0 else 1.0
    return -math.expm1(n * math.log1p(-beyond)) if beyond < 1 else 1.0
