"""What needs no sum: the exact Gaussian, the conversions of Renyi DP, integer orders, in balls.

``gaussian_delta``   Balle & Wang 2018 (arXiv 1805.06530), Theorem 8: Phi(-a) - e^s Phi(-b), a = s / mu - mu / 2,
                     b = s / mu + mu / 2.
``convert``          the formulas of conversions/, as they are.
``single_delta``     one step: P(t > x) - e^s Q(t > x) is greatest where loss(x) = s (Neyman and Pearson; the loss
                     rises), so with loss(low) <= s <= loss(high) it lies between its value at either and
                     P(t > low) - e^s Q(t > high).
``binomial_moment``  E (1 + u)^alpha - 1 = sum over k >= 2 of C(alpha, k) (1 - q)^(alpha - k) q^k
                     (e^{k (k - 1) / (2 sigma^2)} - 1): the terms k < 2 are 0 (arXiv 1908.10530).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refdp.accounting.certificate.balls import exact, load
from refdp.accounting.certificate.statement import Sides, Weights
from refdp.accounting.errors import AccountingError


def _normal_tail(x: Any) -> Any:
    return (x / exact(2).sqrt()).erfc() / 2


def gaussian_delta(mu_squared: Any, s: float) -> Any:
    """delta at epsilon = s >= 0 of the Gaussian mechanism of total ratio mu > 0."""
    mu, at = mu_squared.sqrt(), exact(s)
    return _normal_tail(at / mu - mu / 2) - at.exp() * _normal_tail(at / mu + mu / 2)


def single_delta(sides: Sides, multiplier: float, s: float) -> Any:
    """delta at epsilon = s >= 0 of one sampled step, a ball."""
    sigma, at = exact(multiplier), exact(s)

    def tail(weights: Weights, x: Any) -> Any:
        total = exact(1 - sum(weight for _, weight in weights)) * _normal_tail(x)
        for mean, weight in weights:
            total += exact(weight) * _normal_tail(x - exact(mean) / sigma)
        return total

    def density(weights: Weights, x: Any) -> Any:
        total = exact(1 - sum(weight for _, weight in weights))
        for mean, weight in weights:
            slope = exact(mean) / sigma
            total += exact(weight) * (x * slope - slope * slope / 2).exp()
        return total

    low, high = -1.0, 1.0
    for _ in range(64):
        low, high = 2 * low, 2 * high
        if bool(_gap(density, sides, low, at) < 0) and bool(_gap(density, sides, high, at) > 0):
            break
    else:
        raise AccountingError("certificate: one step whose loss does not cross epsilon")
    for _ in range(90):
        middle = 0.5 * (low + high)
        gap = _gap(density, sides, middle, at)
        if gap < 0:
            low = middle
        elif gap > 0:
            high = middle
        else:  # the root itself, to the working precision
            low, high = (
                _beside(density, sides, low, middle, at, -1),
                _beside(density, sides, high, middle, at, 1),
            )
            break
    gain = at.exp()
    below = tail(sides.p, exact(high)) - gain * tail(sides.q, exact(high))
    above = tail(sides.p, exact(low)) - gain * tail(sides.q, exact(high))
    return below.union(above)


def _beside(
    density: Callable[[Weights, Any], Any], sides: Sides, far: float, root: float, at: Any, side: int
) -> float:
    """A point close to the root and on this side of it, or the farther one known."""
    near = root + side * 1e-15 * max(1.0, abs(root))
    return near if bool(side * _gap(density, sides, near, at) > 0) else far


def _gap(density: Callable[[Weights, Any], Any], sides: Sides, x: float, at: Any) -> Any:
    """loss(x) - s."""
    return (density(sides.p, exact(x)) / density(sides.q, exact(x))).log() - at


def _balle2020(order: Any, rdp: Any, delta: Any) -> Any:
    return rdp + ((order - 1) / order).log() - (delta * order).log() / (order - 1)


def _mironov2017(order: Any, rdp: Any, delta: Any) -> Any:
    return rdp - delta.log() / (order - 1)


CONVERSIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "balle2020": _balle2020,
    "mironov2017": _mironov2017,
}


def binomial_moment(rate: float, multiplier: float, order: int) -> Any:
    """A - 1 at an integer order."""
    q, sigma = exact(rate), exact(multiplier)
    total, binomial = load().arb(0), 1
    for k in range(1, order + 1):
        binomial = binomial * (order - k + 1) // k
        if k >= 2:
            growth = (exact(k * (k - 1)) / (2 * sigma**2)).expm1()
            total += exact(binomial) * (1 - q) ** (order - k) * q**k * growth
    return total
