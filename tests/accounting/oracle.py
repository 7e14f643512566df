"""One-step RDP of the Poisson-sampled Gaussian in ball arithmetic: an independent, rigorous second opinion.

    A = E_{t ~ N(0, 1)} (1 - q + q e^x)^alpha,   x = t / sigma - 1 / (2 sigma^2),   RDP = log(A) / (alpha - 1)

Integer orders by the binomial sum; real orders by python-flint's acb.integral (a ball that contains the exact
integral) over the two bumps, t near 0 and t near alpha / sigma, plus a rigorous bound of what lies elsewhere.
Nothing of refdp is used here.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

from flint import acb, arb, ctx, fmpq


def exact(x: float) -> Any:
    """The float's exact value as a ball of radius 0 (up to the working precision)."""
    value = Fraction(x)
    return arb(fmpq(value.numerator, value.denominator))


def normal_tail(x: Any) -> Any:
    """P(N(0, 1) > x)."""
    return (x / arb(2).sqrt()).erfc() / 2


def _binomial_moment(q: Any, sigma: Any, alpha: int) -> Any:
    """A - 1: all terms k >= 2 are positive."""
    total, coefficient = arb(0), 1
    for k in range(1, alpha + 1):
        coefficient = coefficient * (alpha - k + 1) // k
        if k >= 2:
            growth = (arb(k * (k - 1)) / (2 * sigma**2)).expm1()
            total += arb(coefficient) * (1 - q) ** (alpha - k) * q**k * growth
    return total


def _log_scale(q: float, sigma: float, alpha: float) -> float:
    """About log A: the larger of the two bumps (only a scale; no result depends on its being right)."""
    return max(0.0, alpha * math.log(q) + alpha * (alpha - 1) / (2 * sigma**2), alpha * math.log1p(-q))


def log_moment(q: float, sigma: float, alpha: float, precision: int, direction: int = 1) -> Any:
    """Ball around log A at working precision ``precision`` bits; ``direction`` -1: E (1 + u)^-(alpha - 1)."""
    saved = ctx.prec
    ctx.prec = precision
    try:
        big_q, s, a = exact(q), exact(sigma), exact(alpha)
        if direction == 1 and alpha == int(alpha) and alpha <= 200:
            return _binomial_moment(big_q, s, int(alpha)).log1p()
        power = a if direction == 1 else 1 - a
        scale = _log_scale(q, sigma, alpha) if direction == 1 else -(alpha - 1) * math.log1p(-q)
        c = exact(float(math.floor(scale))) if scale > 50 or direction == -1 else arb(0)
        bits = precision * math.log(2)
        width = math.ceil(math.sqrt(2 * (bits + alpha * math.log(2)))) + 2
        far = alpha / sigma  # the remove direction's second bump
        if direction == 1:
            windows = [(-width, width), (far - width, math.ceil(far) + width)]
            if far - width <= width:
                windows = [(-width, math.ceil(far) + width)]
        else:
            windows = [(-width - math.ceil((alpha - 1) / sigma), width + math.ceil(1 / sigma))]

        def near_zero(t: Any, analytic: bool) -> Any:
            ratio = 1 + big_q * ((t / s - 1 / (2 * s * s)).exp() - 1)
            return (power * ratio.log(analytic=analytic) - t * t / 2 - c).exp()

        def far_out(t: Any, analytic: bool) -> Any:
            # the same, with alpha x - t^2 / 2 = alpha (alpha - 1) / (2 s^2) - (t - alpha / s)^2 / 2 taken out
            ratio = 1 + (1 - big_q) / big_q * (1 / (2 * s * s) - t / s).exp()
            shift = t - a / s
            return (a * ratio.log(analytic=analytic) - shift * shift / 2 + far_constant).exp()

        far_constant = a * big_q.log() + a * (a - 1) / (2 * s * s) - c
        even = sigma * math.log((1 - q) / q) + 1 / (2 * sigma)  # where q e^x = 1 - q
        tolerance = arb(2) ** (20 - precision)
        total = acb(0)
        for low, high in windows:
            inner = [x for x in (-10.0, 0.0, 10.0, even, far - 10, far, far + 10) if low + 1 < x < high - 1]
            cut = [low, *sorted(inner), high]
            for start, end in itertools.pairwise(cut):
                integrand = far_out if direction == 1 and start >= even else near_zero
                ends = acb(exact(start)), acb(exact(end))
                total += acb.integral(integrand, *ends, rel_tol=tolerance, abs_tol=tolerance)
        moment = total.real / (2 * arb.pi()).sqrt()
        left, right = exact(windows[0][0]), exact(windows[-1][1])
        if direction == 1:
            # (1 - q + q e^x)^alpha <= 2^alpha max(1, q^alpha e^{alpha x}); for x <= 0 it is at most 1
            bump = (a * arb(2).log() - c).exp()
            shifted = (a * (2 * big_q).log() + a * (a - 1) / (2 * s * s) - c).exp()
            tails = normal_tail(-left) * (-c).exp() + shifted * normal_tail(right - a / s)
            tails += bump * normal_tail(right)
            if len(windows) == 2:
                tails += bump * normal_tail(exact(windows[0][1]))
                tails += shifted * normal_tail(a / s - exact(windows[1][0]))
        else:  # t > right has x > 0: at most phi(t); t < left: ratio >= 1 - q
            tails = normal_tail(right) * (-c).exp() + (power * (1 - big_q).log() - c).exp() * normal_tail(
                -left
            )
        return (moment + tails.union(arb(0))).log() + c
    finally:
        ctx.prec = saved


def rdp_ball(q: float, sigma: float, alpha: float, direction: int = 1) -> tuple[float, float]:
    """(lower, upper) around the exact RDP, less than 1e-13 apart relatively, rounded outward to floats."""
    precision = 140
    while precision <= 4000:
        ball = log_moment(q, sigma, alpha, precision, direction) / exact(alpha - 1)
        if ball.is_finite() and ball > 0 and float(ball.rad()) <= 1e-14 * float(ball.mid()):
            return _down(ball), _up(ball)
        precision *= 2
    raise ArithmeticError(f"no resolved ball at q={q}, sigma={sigma}, alpha={alpha}")


def _down(ball: Any) -> float:
    return math.nextafter(float(ball.mid() - ball.rad()), -math.inf)


def _up(ball: Any) -> float:
    return math.nextafter(float(ball.mid() + ball.rad()), math.inf)
