"""One step's moments in balls, by the trapezoidal rule on a shifted line: contour.py's derivation, every term a ball.

For an oriented pair (statement.py), w_P, w_Q the greatest mean of P and of -Q, and z = c + iy, y >= 0,
    M(z) = integral of phi A^{1+z} B^{-z} dt = integral of g e^{iy l},   g = phi A^{1+c} B^{-c},   l = log(A / B).
On Im t = b (b w_P, b w_Q < pi sigma):  |A(t + ib)| <= A(t),  |B(t + ib)| >= cos(b w_Q / (2 sigma)) B(t), so
    |g(t + ib)| <= R(b) g(t),   R(b) = e^{b^2 / 2} cos(b w_Q / (2 sigma))^{-c},
and 0 <= Im l for 0 <= b, as arg A >= 0 >= arg B. While b w_P, b w_Q <= pi sigma / 2, Im l(t + ib) rises with b:
its derivative is Re(A' / A - B' / B), and Re(A' / A) = sum a_i a_j mu_i cos(theta_i - theta_j) / (sigma |A|^2) >= 0.

``Moments``   the rule of step h on Im t = a is off by at most M(c) (1 + R(2a)) / (e^{2 pi a / h} - 1)
              (Trefethen & Weideman, SIAM Review 2014, Theorem 5.1: the lines Im t = 0 and 2a).
``modulus``   |M(c + iy)| <= D(Y) for all y >= Y, where D(Y) = integral of |g| e^{-Y Im l} over the line Im t = b:
              the modulus of the integrand falls with y at every point of that line. f = |g| e^{-Y Im l} is analytic
              (the half sum of log g and half difference of l at t + ib and t - ib), and on Im = eta <= a it is at
              most (R(b + eta) + R(b - eta)) / 2 times g, so the rule is off by at most
              M(c) (R(b + a) + R(|b - a|)) / (e^{2 pi a / h} - 1).
Nodes beyond the first and last: log g falls there at least at the rates ``_run_out`` gives, as the posterior means
rise with t, so they add at most R(b) (g(first) / rate + g(last) / rate).

G1. Every value returned is a ball that contains the exact one, whatever the shift, step and window.
G2. A rule that proves nothing (a shift outside the strip, a window that cuts the bulk) raises AccountingError.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from refdp.accounting.certificate.balls import around, exact, load
from refdp.accounting.certificate.statement import Sides
from refdp.accounting.errors import AccountingError


@dataclass(frozen=True)
class Grid:
    """A rule: the line's height, half the strip's width, the spacing h and the first and last node, in h."""

    shift: float
    strip: float
    spacing: float
    first: int
    last: int


@dataclass(frozen=True)
class Step:
    """An oriented pair at a noise multiplier and a tilt c, in balls."""

    sides: Sides
    multiplier: float
    tilt: float | Fraction

    @cached_property
    def sigma(self) -> Any:
        return exact(self.multiplier)

    @cached_property
    def c(self) -> Any:
        return exact(self.tilt)

    @cached_property
    def _p(self) -> list[tuple[Any, Any, Any]]:
        return self._terms(self.sides.p)

    @cached_property
    def _q(self) -> list[tuple[Any, Any, Any]]:
        return self._terms(self.sides.q)

    @cached_property
    def _more(self) -> Any:
        return 1 + self.c

    @cached_property
    def _density(self) -> Any:
        return 1 / (2 * load().arb.pi()).sqrt()

    def _terms(self, side: Any) -> list[tuple[Any, Any, Any]]:
        """(weight, mean / sigma, mean^2 / (2 sigma^2)) of each component."""
        slopes = [(exact(weight), exact(mean) / self.sigma) for mean, weight in side]
        return [(weight, slope, slope * slope / 2) for weight, slope in slopes]

    def ratio(self, terms: list[tuple[Any, Any, Any]], t: Any) -> Any:
        """A(t) or B(t), by its terms."""
        value = 1
        for weight, slope, offset in terms:
            value = value + weight * ((t * slope - offset).exp() - 1)
        return value

    def at(self, t: Any) -> tuple[Any, Any]:
        """g(t) and the loss, by principal logarithms (the arcs of A and B stay below pi)."""
        exponent, loss = -t * t / 2, load().acb(0)
        if self._p:
            log = self.ratio(self._p, t).log()
            exponent, loss = exponent + self._more * log, log
        if self._q:
            log = self.ratio(self._q, t).log()
            exponent, loss = exponent - self.c * log, loss - log
        return exponent.exp() * self._density, loss

    def rise(self, height: Any) -> Any:
        """R(b); refused where an arc could reach pi."""
        flint = load()
        for width in (self.sides.width_p, self.sides.width_q):
            if not height * exact(width) < flint.arb.pi() * self.sigma:
                raise AccountingError("certificate: the strip reaches a zero of the likelihood ratio")
        arc = height * exact(self.sides.width_q) / (2 * self.sigma)
        return (height * height / 2 - self.c * arc.cos().log()).exp()

    def run_out(self, t: Any) -> tuple[Any, Any]:
        """How fast log g falls to the left of t, and to the right of it (where positive)."""
        mean = exact(0)
        for weight, slope, offset in self._q:
            mean += weight * slope * (t * slope - offset).exp()
        mean /= self.ratio(self._q, t)
        left, right = (
            -t - self.c * mean,
            t - (1 + self.c) * exact(self.sides.width_p) / self.sigma + self.c * mean,
        )
        return left, right


@dataclass
class Moments:
    """The rule's nodes on one line: weights and losses, and a bound on the error of every moment with y >= 0."""

    weights: list[Any]
    losses: list[Any]
    error: Any

    @classmethod
    def of(cls, step: Step, grid: Grid) -> Moments:
        height = exact(grid.shift)
        if grid.strip != grid.shift or not grid.shift > 0:
            raise AccountingError("certificate: a moment's line must lie in the middle of its strip")
        nodes = _nodes(step, grid)
        real = sum((weight for weight, _ in nodes), load().acb(0)).real
        share = (1 + step.rise(2 * height)) / ((2 * load().arb.pi() * height / exact(grid.spacing)).expm1())
        cut = _tails(step, grid)
        top = _raised(abs(real) + cut, share)
        error = top * share + cut
        least = error / (8 * len(nodes))  # smaller terms are errors among others
        kept = [(w, loss) for w, loss in nodes if not abs(w) <= least]
        error += (len(nodes) - len(kept)) * least
        return cls([w for w, _ in kept], [loss for _, loss in kept], error)

    @property
    def real(self) -> Any:
        """M(c)."""
        total = sum(self.weights, load().acb(0))
        return around(total, self.error).real

    def along(self, step: Any, count: int) -> list[Any]:
        """M(c + i k step), k < count: giant steps times small ones, as a product of matrices."""
        flint = load()
        inner = max(1, int(count**0.5))
        outer = -(-count // inner)
        turn = flint.acb(0, step)
        near = [[(turn * (b * loss)).exp() for b in range(inner)] for loss in self.losses]
        far = [
            [w * (turn * (a * inner * loss)).exp() for w, loss in zip(self.weights, self.losses, strict=True)]
            for a in range(outer)
        ]
        table = flint.acb_mat(far) * flint.acb_mat(near)
        return [around(value, self.error) for value in table.entries()[:count]]


def modulus(step: Step, grid: Grid, frequency: Any) -> Any:
    """A bound on |M(c + iy)| for every y >= frequency."""
    flint = load()
    b, a = exact(grid.shift), exact(grid.strip)
    if not grid.shift > 0 or not grid.strip > 0:
        raise AccountingError("certificate: a decay's line must lie above the real one")
    for width in (step.sides.width_p, step.sides.width_q):
        if not 2 * (a + b) * exact(width) <= flint.arb.pi() * step.sigma:
            raise AccountingError("certificate: the decay's strip is too wide for a loss that rises")
    total, plain = exact(0), exact(0)
    for weight, loss in _nodes(step, grid):
        size = abs(weight)
        plain += size
        total += size * (-frequency * loss.imag).exp()
    share = (step.rise(a + b) + step.rise(abs(b - a))) / (
        (2 * flint.arb.pi() * a / exact(grid.spacing)).expm1()
    )
    cut = _tails(step, grid)
    # M(c) <= D(0), the same rule at Y = 0
    return total + cut + _raised(plain + cut, share) * share


def _raised(value: Any, share: Any) -> Any:
    """A bound on M(c) where the rule's value is off by at most ``share`` of it."""
    if not share < 0.5:
        raise AccountingError("certificate: the rule's spacing is too wide to prove anything")
    return value / (1 - share)


def _nodes(step: Step, grid: Grid) -> list[tuple[Any, Any]]:
    """(h g, loss) at each node."""
    flint = load()
    height, spacing = exact(grid.shift), exact(grid.spacing)
    found = []
    for k in range(grid.first, grid.last + 1):
        value, loss = step.at(flint.acb(k * spacing, height))
        found.append((spacing * value, loss))
    return found


def _tails(step: Step, grid: Grid) -> Any:
    """What the nodes beyond the window add up to at most."""
    total = exact(0)
    for k, side in ((grid.first, 0), (grid.last, 1)):
        t = k * exact(grid.spacing)
        rate = step.run_out(t)[side]
        if not rate > 0:
            raise AccountingError("certificate: the window does not reach the tails")
        total += step.at(load().acb(t))[0].real / rate
    return step.rise(exact(grid.shift)) * total
