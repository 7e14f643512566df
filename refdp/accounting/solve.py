"""Epsilon from enclosures of log delta: where each side's bound has just crossed.

G1. delta(upper) <= delta <= delta(lower), each by the enclosure at the point returned, never by interpolation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq

Enclosure = Callable[[float], tuple[float, float]]


def solve_epsilon(enclosure: Enclosure, log_delta: float, limit: float) -> tuple[float, float | None]:
    """(lower, upper) of the least epsilon >= 0 with delta(epsilon) <= delta.

    Args:
        enclosure: s -> (lower, upper) of log delta(s).
        limit: about where to look, preferably above.

    0 is a lower bound always; upper is None where none is found.
    """
    harder, easier = math.nextafter(log_delta, -math.inf), math.nextafter(log_delta, math.inf)  # its rounding
    if enclosure(0.0)[1] <= harder:
        return 0.0, 0.0
    high = max(limit, 1e-300) * (1 + 1e-9)
    for _ in range(60):
        if enclosure(high)[1] <= harder:
            break
        high *= 1.25
    else:
        return 0.0, None
    upper = _cross(enclosure, harder, 0.0, high, 1)
    if upper is None:
        return 0.0, high
    for power in range(14):  # noise may hide the lower bound far from its root, where terms outgrow their sum
        low = upper * (1 - 1e-13 * 10.0**power) if power < 13 else 0.0
        if enclosure(low)[0] >= easier:
            return _cross(enclosure, easier, low, upper, 0) or low, upper
    return 0.0, upper


def _cross(enclosure: Enclosure, log_delta: float, low: float, high: float, side: int) -> float | None:
    """Where this side's bound crosses log_delta between low and high, on the safe side of it."""

    def gap(s: float) -> float:
        return max(enclosure(s)[side] - log_delta, -1e3)

    root = brentq(gap, low, high, xtol=1e-300, rtol=1e-14, maxiter=80, disp=False)
    for power in range(-1, 24):  # from the root outwards, to the first point on the safe side
        step = 2e-15 * 4.0**power if power >= 0 else 0.0
        s = root * (1 + step if side else 1 - step)
        if (gap(s) <= 0) if side else (gap(s) >= 0):
            return s
    return None
