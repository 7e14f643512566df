"""Renyi divergence of the Gaussian mechanism without subsampling.

Mironov, "Renyi differential privacy" (arXiv 1702.07476), Proposition 7:
    D_alpha(N(s, sigma^2) || N(0, sigma^2)) = alpha s^2 / (2 sigma^2).
"""

from __future__ import annotations

import numpy as np


def rdp_gaussian(mu_squared: float, orders: np.ndarray) -> np.ndarray:
    """Upper values of the RDP at each order, for a total squared signal-to-noise ratio mu^2.

    Composition adds mu^2 over steps: mu^2 = sum_t (sensitivity_t / noise std_t)^2.
    G1. Rounded outward: never below the exact value (four rounded operations, widened by 8 ulp).
    """
    with np.errstate(over="ignore"):  # an overflow to inf is still an upper bound
        exact = 0.5 * mu_squared * np.asarray(orders, dtype=np.float64)
        return exact * (1 + 8 * np.finfo(np.float64).eps)
