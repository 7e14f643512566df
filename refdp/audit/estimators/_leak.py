"""The Gaussian leak that thresholds are laid out for."""

from __future__ import annotations

import math
from functools import lru_cache

from refdp.accounting.gaussian import gaussian_epsilon


@lru_cache(maxsize=4096)
def mu_of(epsilon: float, delta: float) -> float:
    """The largest mu found by halving whose Gaussian epsilon at delta is certainly at most ``epsilon``.

    Returns 0 only where no mu >= 1e-12 is so weak.
    """
    low, high = 0.0, 1.0
    while gaussian_epsilon(high, delta)[1] <= epsilon:
        low, high = high, 2 * high
        if high > 1e6:
            return low
    while high - low > 1e-12 * max(1.0, high) and not math.isclose(low, high, rel_tol=1e-14):
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_epsilon(middle, delta)[1] <= epsilon else (low, middle)
    return low
