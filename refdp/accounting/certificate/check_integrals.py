"""The checker's own integrals of one step: Gauss-Legendre and adaptive quadrature, not the trapezoidal rule.

The pair as in statement.py, with a component at 0 in both mixtures. For x real, A rises, B falls, and
    |A(x + ib)| <= A(x),   |B(x + ib)| >= B(x) cos(b w_Q / (2 sigma)),   0 <= Im l  (0 <= b < pi sigma / w).
``panels``  M(c + iy) on the line Im t = a, cut into panels of half length r, n nodes each. A function bounded by U
            on the ellipse of radius rho about a panel is integrated to within r (64 / 15) U rho^{-2n} / (1 - rho^-2)
            (Trefethen, Approximation Theory and Practice, Theorem 19.3). The ellipse stays in 0 <= Im t <= 2a, so
            there |e^{iyl}| <= 1, and U is had from A at its right end, B at its right end and phi at its least |x|,
            piece by piece: one set of nodes and one bound for every y >= 0.
``beyond``  sup over y >= Y of |M(c + iy)| <= integral of |g| e^{-Y Im l} on Im t = b; its integrand,
            exp((G(t + ib) + G(t - ib)) / 2 + i Y (l(t + ib) - l(t - ib)) / 2), is analytic: acb.integral.
``real``    M(c), on the real line by acb.integral.
Tails: A(x) <= e^{x w_P / sigma} for x >= 0 and <= 1 for x <= 0, B >= its weight at 0, so Gaussian tails bound both.

G1. Every value is a ball around the exact one.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

from refdp.accounting.certificate.balls import exact, load
from refdp.accounting.certificate.statement import Sides, Weights
from refdp.accounting.errors import AccountingError

_PIECES = 8
_MAX_PANELS = 200_000


class Refused(AccountingError):
    """Why a certificate is not accepted."""


@lru_cache(maxsize=512)
def _legendre(count: int, bits: int) -> tuple[tuple[Any, Any], ...]:
    """(node, weight) on [-1, 1] at the working precision ``bits``."""
    return tuple(load().arb.legendre_p_root(count, k, weight=True) for k in range(count))


@dataclass(eq=False)
class Density:
    """A pair at a noise multiplier and a tilt c > 0."""

    sides: Sides
    multiplier: float
    tilt: float | Fraction

    def __post_init__(self) -> None:
        self.sigma, self.c = exact(self.multiplier), exact(self.tilt)
        self.rest_p, self.rest_q = (
            exact(1 - sum(w for _, w in side)) for side in (self.sides.p, self.sides.q)
        )
        if not (self.rest_p > 0 and self.rest_q > 0):
            raise Refused("a sampled step without a component at 0")
        self.wide_p, self.wide_q = exact(self.sides.width_p), exact(self.sides.width_q)
        self.width = float(max(self.sides.width_p, self.sides.width_q))
        self.slope = (1 + self.c) * self.wide_p / self.sigma
        self.zero = load().acb(0)
        self.terms = [self._terms(side) for side in (self.sides.p, self.sides.q)]

    def _terms(self, side: Weights) -> list[tuple[Any, Any]]:
        """(mean / sigma, log weight - mean^2 / (2 sigma^2))."""
        means = [(exact(mean) / self.sigma, exact(weight).log()) for mean, weight in side]
        return [(mean, log_weight - mean * mean / 2) for mean, log_weight in means]

    def log_ratios(self, t: Any, analytic: bool = False) -> tuple[Any, Any]:
        """log A and log B, principal."""
        found = []
        for rest, terms in zip((self.rest_p, self.rest_q), self.terms, strict=True):
            if not terms:
                found.append(self.zero)
                continue
            value = rest
            for mean, offset in terms:
                value = value + (mean * t + offset).exp()
            found.append(value.log(analytic=analytic))
        return found[0], found[1]

    def exponent(self, t: Any, analytic: bool = False) -> tuple[Any, Any]:
        """log of sqrt(2 pi) g, and the loss."""
        log_a, log_b = self.log_ratios(t, analytic)
        return (1 + self.c) * log_a - self.c * log_b - t * t / 2, log_a - log_b

    def rise(self, height: Any) -> Any:
        """What |g| gains at most at this height."""
        arc = height * self.wide_q / (2 * self.sigma)
        if not arc < load().arb.pi() / 2 or not height * self.wide_p < load().arb.pi() * self.sigma:
            raise Refused("a line beyond the zeros of the likelihood ratio")
        return (height * height / 2 - self.c * arc.cos().log()).exp()

    def window(self, nats: float) -> tuple[float, float, Any]:
        """(low, high, bound on the integral of g beyond them), about e^-nats of M(c) >= 1."""
        fixed = self.c * -self.rest_q.log()
        left = math.sqrt(2 * (nats + 4 + float(fixed.mid()))) + 1
        peak = float(self.slope.mid())
        floor = self.scale
        gain = float((self.slope**2 / 2 + fixed).mid()) - floor
        right = peak + math.sqrt(2 * (nats + 4 + max(gain, 0.0))) + 1
        tails = (fixed.exp()) * normal_tail(exact(left))
        tails += (fixed + self.slope**2 / 2).exp() * normal_tail(exact(right) - self.slope)
        return -left, right, tails

    @cached_property
    def scale(self) -> float:
        """About the logarithm of the integrand's peak on the real line: sets tolerances, proves nothing."""
        c, sigma = float(self.tilt), self.multiplier
        reach = (1 + c) * float(self.sides.width_p) / sigma + c * float(self.sides.width_q) / sigma
        points = [-6.0, *(6.0 * k / 16 - 3.0 for k in range(17)), *(reach * k / 128 for k in range(1, 129))]

        def log_sum(side: Weights, t: float) -> float:
            logs = [math.log(float(1 - sum(w for _, w in side)))]
            for mean, weight in side:
                slope = float(mean) / sigma
                logs.append(math.log(weight) + t * slope - slope * slope / 2)
            return max(logs) + math.log(sum(math.exp(x - max(logs)) for x in logs))

        sides = self.sides
        return max(
            0.0, *((1 + c) * log_sum(sides.p, t) - c * log_sum(sides.q, t) - t * t / 2 for t in points)
        )


def normal_tail(x: Any) -> Any:
    return (x / exact(2).sqrt()).erfc() / 2


@dataclass
class Panels:
    """Nodes on Im t = a: weights (with g) and losses, and a bound on the error of each moment with y >= 0."""

    weights: list[Any]
    losses: list[Any]
    error: Any

    @property
    def real(self) -> Any:
        """M(c)."""
        return sum(self.weights, exact(0) + load().acb(0)).real + _between(self.error)

    def moments(self, step: Any, count: int) -> list[Any]:
        """M(c + i k step), k < count, in rows: each row's first factor, times one table of a row's others."""
        flint = load()
        width = math.ceil(math.sqrt(count))
        turns = [flint.acb(0, k * step) for k in range(width)]
        table = flint.acb_mat([[(turn * loss).exp() for turn in turns] for loss in self.losses])
        rows = []
        for start in range(0, count, width):
            turn = flint.acb(0, start * step)
            rows.append([w * (turn * loss).exp() for w, loss in zip(self.weights, self.losses, strict=True)])
        error = flint.acb(_between(self.error), _between(self.error))
        return [value + error for value in (flint.acb_mat(rows) * table).entries()[:count]]


def _between(bound: Any) -> Any:
    """The ball [-bound, bound]."""
    return load().arb(0, bound.abs_upper())


def panels(density: Density, nats: float) -> Panels:
    """M(c + iy) to about e^-nats of M(c)."""
    flint = load()
    sigma, tilt = density.multiplier, float(density.tilt)
    limit = 0.42 * math.pi * sigma / density.width
    height = min(1.5, limit)
    if density.sides.q:
        height = min(height, 2 * sigma / (density.width * math.sqrt(1 + tilt)))
    half = 0.8 * height
    semi = 0.98 * height  # of the ellipse, across
    rho = semi / half + math.sqrt((semi / half) ** 2 + 1)
    along = exact(half * (rho + 1 / rho) / 2 * (1 + 1e-9))
    low, high, tails = density.window(nats)
    pieces = math.ceil((high - low) / (2 * half))
    if pieces > _MAX_PANELS:
        raise Refused(f"noise multiplier {sigma!r}: too many panels to check")
    gain = density.rise(exact(height + semi))
    root = (2 * flint.arb.pi()).sqrt()
    middles = [exact(low) + (2 * k + 1) * exact(half) for k in range(pieces)]  # the panels touch exactly
    bounds = [density_bound(density, m - along, m + along) for m in middles]
    floor = density.scale
    goal = -nats - math.log(pieces) + floor
    log_gain = float(gain.log().mid())
    weights, losses = [], []
    least = (exact(goal) - math.log(64)).exp()
    error = density.rise(exact(height)) * tails
    decay = exact(rho * (1 - 1e-9))
    for middle, bound in zip(middles, bounds, strict=True):
        top = gain * bound.exp() / root
        excess = float(bound.mid()) + log_gain - goal + math.log(2 * half + 1)
        if excess <= 0:
            error += 2 * exact(half) * top
            continue
        count = max(4, math.ceil((excess + 3) / (2 * math.log(rho))))
        error += exact(half) * exact(64) / 15 * top * decay ** (-2 * count) / (1 - decay**-2)
        for node, weight in _legendre(count, flint.ctx.prec):
            t = flint.acb(middle + node * exact(half), exact(height))
            log_g, loss = density.exponent(t)
            value = log_g.exp() * (weight * exact(half) / root)
            size = value.abs_upper()
            if size <= least:  # not worth a node: it counts as an error
                error += size
            else:
                weights.append(value)
                losses.append(loss)
    return Panels(weights, losses, error)


def density_bound(density: Density, low: Any, high: Any) -> Any:
    """An upper ball of log(sqrt(2 pi) g) on [low, high]."""
    step = (high - low) / _PIECES
    best = None
    for k in range(_PIECES):
        left, right = low + k * step, low + (k + 1) * step
        log_a, log_b = density.log_ratios(load().acb(right))
        nearest = left.max(-right).max(exact(0))  # the least |x|
        value = (1 + density.c) * log_a.real - density.c * log_b.real - nearest**2 / 2
        best = value if best is None else best.max(value)
    return best


def beyond(density: Density, height: float, frequency: Any) -> Any:
    """An upper ball of |M(c + iy)|, y >= frequency, by the line at this height."""
    flint = load()
    b = exact(height)
    if not height > 0 or not 2 * b * exact(density.width) < flint.arb.pi() * density.sigma:
        raise Refused(f"decay height {height!r} is outside the strip where it proves anything")
    low, high, tails = density.window(30.0)
    shift, half_turn = flint.acb(0, b), flint.acb(0, frequency / 2)

    def integrand(t: Any, analytic: bool) -> Any:
        above, loss_above = density.exponent(t + shift, analytic)
        below, loss_below = density.exponent(t - shift, analytic)
        return ((above + below) / 2 + half_turn * (loss_above - loss_below)).exp()

    scale = math.exp(min(density.scale, 600.0))
    total = integral(integrand, low, high, density, scale * 1e-13)
    return total / (2 * flint.arb.pi()).sqrt() + density.rise(b) * tails


def real(density: Density, nats: float) -> Any:
    """M(c) by adaptive quadrature, to about e^-nats of it."""
    low, high, tails = density.window(nats)
    floor = exact(density.scale)

    def integrand(t: Any, analytic: bool) -> Any:
        return (density.exponent(t, analytic)[0] - floor).exp()

    total = integral(integrand, low, high, density, math.exp(-nats))
    return floor.exp() * total / (2 * load().arb.pi()).sqrt() + tails.union(exact(0))


def integral(integrand: Any, low: float, high: float, density: Density, tolerance: float) -> Any:
    """The real part of an integral over [low, high], cut where the components' bumps may stand."""
    flint = load()
    peak = float(density.slope.mid())
    cuts = sorted({low, high, *(x for x in (-8.0, 0.0, 8.0, peak - 8, peak, peak + 8) if low < x < high)})
    total = flint.acb(0)
    for start, end in itertools.pairwise(cuts):
        ends = flint.acb(exact(start)), flint.acb(exact(end))
        total += flint.acb.integral(integrand, *ends, rel_tol=exact(tolerance), abs_tol=exact(tolerance))
    return total.real
