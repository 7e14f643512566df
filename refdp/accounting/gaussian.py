"""The exact privacy curve of the Gaussian mechanism, enclosed.

Balle & Wang 2018, "Improving the Gaussian mechanism" (arXiv 1805.06530), Theorem 8: with total signal-to-noise
ratio mu (mu^2 adds over steps),
    delta(epsilon) = Phi(-a) - e^epsilon Phi(-b),   a = epsilon / mu - mu / 2,   b = epsilon / mu + mu / 2.
Since e^epsilon phi(b) = phi(a), with Mills' ratio m(x) = Phi(-x) / phi(x) this is phi(a) (m(a) - m(b)), which
keeps its relative accuracy at tiny delta.

G1. ``gaussian_delta`` returns (lower, upper) around the exact value, from an a-priori rounding bound.
G2. ``gaussian_epsilon`` returns (lower, upper) with upper on the safe side of that bound at every delta.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.special import erfcx, ndtr

_EPS = 2.0**-52


def gaussian_delta(mu: float, epsilon: float) -> tuple[float, float]:
    """Enclosure of delta at epsilon >= 0 for the Gaussian of total ratio mu >= 0."""
    if mu == 0:
        return 0.0, 0.0
    if mu == math.inf:
        return 1.0, 1.0
    if mu > 1e150:  # squares would overflow
        return 0.0, 1.0
    if epsilon == math.inf:
        return 0.0, 0.0
    shift, half = epsilon / mu, mu / 2
    a, b = shift - half, shift + half
    slack = _EPS * (shift + half)  # rounding of a and b
    if a < 0:
        drop = math.exp(-0.5 * a * a) * float(erfcx(b / math.sqrt(2))) / 2  # e^epsilon Phi(-b) = phi(a) m(b)
        value = float(ndtr(-a)) - drop
        error = slack + 8 * _EPS * (1 + drop * (2 + a * a)) - 2 * a * slack * drop
        return max(0.0, value - error), min(1.0, value + error)
    mills_a, mills_b = (math.sqrt(math.pi / 2) * float(erfcx(x / math.sqrt(2))) for x in (a, b))
    density = math.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
    relative = 8 * _EPS * (2 + a * a) + 4 * a * slack
    rounding = 16 * _EPS * mills_a + 2 * slack * mills_a
    upper = density * (mills_a - mills_b + rounding) * (1 + relative)
    lower = density * (mills_a - mills_b - rounding) * (1 - relative)
    if relative > 0.5 or density < 1e-290:  # so far out that nothing is resolved: Phi(-a) <= phi(a) m(a)
        near = max(0.0, a * (1 - 1e-10) - slack)
        return 0.0, max(math.exp(-0.5 * near * near), 5e-324)
    return max(0.0, lower), min(1.0, upper)


def gaussian_epsilon(mu: float, delta: float) -> tuple[float, float]:
    """Enclosure of epsilon at delta in (0, 1) for the Gaussian of total ratio mu >= 0."""
    if mu == 0:
        return 0.0, 0.0
    if mu > 1e150:
        return (0.0 if mu < math.inf else math.inf), math.inf

    def upper_gap(epsilon: float) -> float:
        return math.log(max(gaussian_delta(mu, epsilon)[1], 5e-324)) - math.log(delta)

    # Chernoff: delta(mu^2/2 + mu x) <= Phi(-x) <= e^{-x^2/2}
    high = mu * mu / 2 + mu * math.sqrt(-2 * math.log(delta)) * (1 + 1e-9) + 1e-300
    if upper_gap(0.0) <= 0:
        return 0.0, 0.0
    root = (
        high if upper_gap(high) >= 0 else brentq(upper_gap, 0.0, high, xtol=1e-300, rtol=1e-14, maxiter=3000)
    )
    return _outward(mu, delta, root)


def _outward(mu: float, delta: float, root: float) -> tuple[float, float]:
    """Step from an approximate root to points where the enclosure of delta is on the proper side."""
    upper = lower = root
    for step in range(60):
        upper = root * (1 + 1e-14 * 2**step)
        if gaussian_delta(mu, upper)[1] <= delta:
            break
    else:
        upper = math.inf
    for step in range(60):
        lower = root * (1 - 1e-14 * 2**step)
        if lower <= 0 or gaussian_delta(mu, lower)[0] >= delta:
            break
    return max(lower, 0.0), upper
