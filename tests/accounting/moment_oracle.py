"""Renyi moments of sampled steps by quadrature at high precision, from their definitions; nothing of refdp."""

from __future__ import annotations

from typing import Any

import mpmath as mp

Density = Any  # t -> likelihood ratio to N(0, 1), in units of the noise


def mixture(sigma: float, weights: dict[float, float]) -> Density:
    """sum_m w_m N(m / sigma, 1) over N(0, 1); the mean 0 has the rest."""
    s = mp.mpf(sigma)
    total = mp.fsum(mp.mpf(w) for w in weights.values())

    def ratio(t: Any) -> Any:
        return (
            1
            - total
            + mp.fsum(
                mp.mpf(w) * mp.exp(t * m / s - mp.mpf(m) ** 2 / (2 * s * s)) for m, w in weights.items()
            )
        )

    return ratio


def rdp(p: Density, q: Density, order: float, sigma: float, reach: float) -> Any:
    """D_order(P || Q) by the trapezoidal rule at 40 digits; ``reach``: the farthest mean, in units of C.

    The integrand is analytic within about pi sigma / reach of the line: e^-50 for the step, e^-300 for the cut.
    """
    with mp.workdps(40):
        h = mp.mpf(min(sigma / reach, 1.0)) / 4
        end = int((reach * order / sigma + 25) / h) + 1
        moment = mp.mpf(0)
        for k in range(-end, end + 1):
            t = k * h
            moment += mp.npdf(t) * p(t) ** order * q(t) ** (1 - order)
        return mp.log(moment * h) / (mp.mpf(order) - 1)


def hockey_stick(p: Density, q: Density, gamma: Any, cuts: list[Any]) -> Any:
    """H_gamma(P || Q) = int (p - gamma q)_+."""

    def positive(t: Any) -> Any:
        return mp.npdf(t) * max(p(t) - gamma * q(t), mp.mpf(0))

    return mp.quad(positive, cuts)


def profile_rdp(rate: float, sigma: float, order: float) -> Any:
    """The bound for sampling without replacement: the integral of its hockey-sticks over gamma (slow, from the
    definition): 1 + alpha (alpha - 1) int_1^inf (g^(alpha - 2) + g^(-alpha - 1)) H(g) dg."""
    s, q, a = mp.mpf(sigma) / 2, mp.mpf(rate), mp.mpf(order)

    def tail(x: Any) -> Any:
        return mp.erfc(x / mp.sqrt(2)) / 2

    def stick(g: Any) -> Any:  # q H_{1 + (g - 1) / q}(N(1) || N(0)), closed form
        inner = 1 + (g - 1) / q
        t = s * mp.log(inner) + 1 / (2 * s)
        return q * (tail(t - 1 / s) - inner * tail(t))

    def integrand(x: Any) -> Any:
        g = mp.exp(x)
        return (g ** (a - 2) + g ** (-a - 1)) * stick(g) * g

    with mp.workdps(30):
        end = a / s**2 + 20 / s + 5
        moment = mp.quad(integrand, mp.linspace(0, end, 60))
        return mp.log1p(a * (a - 1) * moment) / (a - 1)
