"""Balle, Barthe, Gaboardi, Hsu, Sato, "Hypothesis testing interpretations and Renyi DP".

arXiv 1905.09982, Theorem 21; the same formula as Canonne, Kamath, Steinke 2020 (arXiv 2004.00010), Proposition
12. An (alpha, rho)-RDP mechanism is (epsilon, delta)-DP for

    epsilon = rho + log((alpha - 1) / alpha) - (log delta + log alpha) / (alpha - 1),
    delta   = exp((alpha - 1)(rho - epsilon)) (1 / alpha) (1 - 1 / alpha)^(alpha - 1).

G1. Rounded outward by a few ulp of the terms' sizes.
G2. A negative epsilon is a true statement that is stronger than needed; the accountant reports 0 for it.
"""

from __future__ import annotations

import math

_EPS = 2.0**-52

NAME = "balle2020"


def epsilon_from_rdp(order: float, rdp: float, delta: float) -> float:
    """Upper value of epsilon at delta; inf where the RDP is."""
    if rdp == math.inf:
        return math.inf
    beta = order - 1
    shrink = math.log1p(-1 / order)
    pay = (math.log(delta) + math.log(order)) / beta
    return rdp + shrink - pay + 8 * _EPS * (rdp + abs(shrink) + abs(pay) + abs(math.log(delta)) / beta)


def log_delta_from_rdp(order: float, rdp: float, epsilon: float) -> float:
    """Upper value of log delta at epsilon; +inf where the RDP is infinite."""
    if rdp == math.inf:
        return math.inf
    beta = order - 1
    gain, shrink = beta * (rdp - epsilon), beta * math.log1p(-1 / order) - math.log(order)
    if gain < -1e300:  # below every float; further on it would be inf - inf
        return -1e300
    return gain + shrink + 8 * _EPS * (beta * (rdp + epsilon) + abs(shrink) + 1)
