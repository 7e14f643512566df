"""What needs no sum: the exact Gaussian, the conversions of Renyi DP, integer orders, in balls.

``gaussian_delta``   Balle & Wang 2018 (arXiv 1805.06530), Theorem 8: Phi(-a) - e^s Phi(-b), a = s / mu - mu / 2,
                     b = s / mu + mu / 2.
``convert``          the formulas of conversions/, as they are.
``binomial_moment``  E (1 + u)^alpha - 1 = sum over k >= 2 of C(alpha, k) (1 - q)^(alpha - k) q^k
                     (e^{k (k - 1) / (2 sigma^2)} - 1): the terms k < 2 are 0 (arXiv 1908.10530).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refdp.accounting.certificate.balls import exact, load


def _normal_tail(x: Any) -> Any:
    return (x / exact(2).sqrt()).erfc() / 2


def gaussian_delta(mu_squared: Any, s: float) -> Any:
    """delta at epsilon = s >= 0 of the Gaussian mechanism of total ratio mu > 0."""
    mu, at = mu_squared.sqrt(), exact(s)
    return _normal_tail(at / mu - mu / 2) - at.exp() * _normal_tail(at / mu + mu / 2)


def _balle2020(order: Any, rdp: Any, delta: Any) -> Any:
    return rdp + ((order - 1) / order).log() - (delta * order).log() / (order - 1)


def _mironov2017(order: Any, rdp: Any, delta: Any) -> Any:
    return rdp - delta.log() / (order - 1)


CONVERSIONS: dict[str, Callable[[Any, Any, Any], Any]] = {"balle2020": _balle2020, "mironov2017": _mironov2017}


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
