"""Mironov, "Renyi differential privacy" (arXiv 1702.07476), Proposition 3.

An (alpha, rho)-RDP mechanism is (rho + log(1 / delta) / (alpha - 1), delta)-DP, by Markov's inequality.

G1. Rounded outward by a few ulp of the terms' sizes. Never below ``balle2020`` by more than that.
"""

from __future__ import annotations

import math

NAME = "mironov2017"

_EPS = 2.0**-52


def epsilon_from_rdp(order: float, rdp: float, delta: float) -> float:
    """Upper value of epsilon at delta; inf where the RDP is."""
    if rdp == math.inf:
        return math.inf
    return (rdp - math.log(delta) / (order - 1)) * (1 + 8 * _EPS)


def log_delta_from_rdp(order: float, rdp: float, epsilon: float) -> float:
    """Upper value of log delta at epsilon; +inf where the RDP is infinite."""
    if rdp == math.inf:
        return math.inf
    beta = order - 1
    gain = beta * (rdp - epsilon)
    if gain < -1e300:  # below every float
        return -1e300
    return gain + 8 * _EPS * beta * (rdp + epsilon)
