"""The checker's deltas without a contour: the Gaussian's, and one sampled step's, as integrals of positive functions.

G1. Every value is a ball around the exact one.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from refdp.accounting.certificate.balls import exact, load
from refdp.accounting.certificate.check_integrals import Density, Refused, integral, normal_tail
from refdp.accounting.certificate.statement import Sides


def gaussian_delta(squared: Any, epsilon: float) -> Any:
    """delta(epsilon) of the Gaussian: integral over x >= 0 of phi(x + a) (1 - e^{-mu x}), a = epsilon/mu - mu/2."""
    flint = load()
    mu = squared.sqrt()
    a = exact(epsilon) / mu - mu / 2
    start = max(0.0, -float(a.mid()))
    scale = (-(a.max(exact(0)) ** 2) / 2).exp()  # about the greatest value of phi(x + a), times sqrt(2 pi)

    def integrand(x: Any, analytic: bool) -> Any:
        return (-((x + a) ** 2) / 2).exp() / scale * (1 - (-mu * x).exp())

    total, cuts = flint.acb(0), sorted({0.0, max(start - 16, 0.0), start, start + 20})
    for low, high in itertools.pairwise(cuts):
        total += flint.acb.integral(
            integrand,
            flint.acb(exact(low)),
            flint.acb(exact(high)),
            rel_tol=exact(2.0**-120),
            abs_tol=exact(2.0**-160),
        )
    tail = ((exact(cuts[-1]) + a) / exact(2).sqrt()).erfc() / 2
    return total.real * scale / (2 * flint.arb.pi()).sqrt() + tail.union(exact(0))


def single(sides: Sides, multiplier: float, epsilon: float) -> Any:
    """delta(epsilon) of one step: integral of phi (A - e^epsilon B) over t >= t0, where A = e^epsilon B.

    The integrand is positive from t0 on and negative before, so cutting at t1 < t0 < t2 encloses it.
    """
    flint = load()
    density = Density(sides, multiplier, 1)
    gain = exact(epsilon).exp()

    def pays(t: Any) -> Any:
        log_a, log_b = density.log_ratios(flint.acb(t))
        return (log_a - log_b).real - exact(epsilon)

    high = 1.0
    while not pays(exact(high)) > 0:
        high *= 2
        if high > 1e9:
            raise Refused("one step: the loss never reaches epsilon")
    low = -high
    while not pays(exact(low)) < 0:
        low *= 2
        if low < -1e9:
            raise Refused("one step: the loss always exceeds epsilon")
    while high - low > 1e-14 * max(1.0, abs(high)):
        middle = 0.5 * (low + high)
        value = pays(exact(middle))
        if value > 0:
            high = middle
        elif value < 0:
            low = middle
        else:  # the root, to the working precision: the points beside it
            beside = 4e-15 * max(1.0, abs(middle))
            low = middle - beside if pays(exact(middle - beside)) < 0 else low
            high = middle + beside if pays(exact(middle + beside)) > 0 else high
            break

    def integrand(t: Any, analytic: bool) -> Any:
        log_a, log_b = density.log_ratios(t, analytic)
        return (log_a - t * t / 2).exp() - gain * (log_b - t * t / 2).exp()

    wide_p = exact(sides.width_p) / density.sigma
    far = max(high, float(wide_p.mid())) + 45.0
    scale = math.exp(max(-0.5 * max(high, 0.0) ** 2, -600.0)) * 1e-25
    root = (2 * flint.arb.pi()).sqrt()
    total = integral(integrand, high, far, density, scale) / root
    # P(t > far): each component of P has its mean at most at wide_p; P(low < t < high): densities are below 1
    tail = normal_tail(exact(far) - wide_p)
    log_a, _ = density.log_ratios(flint.acb(exact(high)))
    nearest = exact(low).max(exact(-high)).max(exact(0))
    between = (exact(high) - exact(low)) * (log_a.real - nearest**2 / 2).exp() / root
    # there |A - e^epsilon B| <= A (e^{|l - epsilon|} - 1)
    between *= (-pays(exact(low))).exp() + pays(exact(high)).exp() - 2
    return total + tail.union(exact(0)) + between.union(exact(0))
