"""Moments of the privacy loss on a vertical line of the complex plane, each with a bound on its error.

For a pair (P, Q) of Gaussian mixtures (pairs.py) and z = c + iy, c > 0,
    M(z) = E_P[e^{z loss}] = integral of phi(t) A(t)^{1+z} B(t)^{-z} dt.
The trapezoidal rule is taken on the shifted line t + ia. There arg A - arg B >= 0, so |e^{iy loss}| <= 1 for all
y >= 0 at once, and one set of nodes serves every y. On Im t = b, with theta = b (range of the means) / sigma < pi,
    |A(t + ib)| <= A(t),    |B(t + ib)| >= B(t) cos(theta_B / 2),
(a sum of vectors within an arc theta is at least cos(theta / 2) of the sum of their lengths), hence the integrand
is at most e^{b^2 / 2} cos(theta_B / 2)^{-c} times phi A^{1+c} B^{-c}, whose integral is M(c). By Trefethen and
Weideman (SIAM Review 2014, Theorem 5.1) the rule of step h is off by at most
    M(c) [ 1 + e^{(2a)^2 / 2} cos^{-c} ] / (e^{2 pi a / h} - 1).
Everything is returned relative to M(c), as excess = M(z) / M(c) - 1, so that a step that changes little keeps
its relative accuracy over 1e9 repetitions. Many noise multipliers (M of them, close together) share the nodes.

G1. |true M(z_k) / M(c) - (1 + excess_k)| <= error_k, and |log M(c) - log_scale| <= scale_error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from refdp.accounting.edges import REACH, edges
from refdp.accounting.pairs import Mixture, Pair, _expm1

_EPS = 2.0**-52
_PRUNE = 1e-30
_CELLS = 1 << 20
_SMALL = 1 << 17
MAX_NODES = 400_000


@dataclass(frozen=True)
class Line:
    """The integrand of M noise multipliers at tilt c on the shifted line; each row of ``weight`` sums to 1.

    Attributes:
        loss: log(A / B) at the nodes, complex [M, J]; weight: complex [M, J].
        loss_error, weight_error: rounding of each (absolute, and relative), [M, J].
        error: quadrature, cut tails and dropped nodes, relative to M(c), [M].
        log_scale, scale_error: log M(c) and a bound on its error, [M].
    """

    loss: np.ndarray
    weight: np.ndarray
    loss_error: np.ndarray
    weight_error: np.ndarray
    error: np.ndarray
    log_scale: np.ndarray
    scale_error: np.ndarray

    def excesses(self, step: float, count: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(row, M(c + i k step) / M(c) - 1 and a bound on its error, k < count), multiplier by multiplier."""
        inner = 1 << max(0, math.ceil(math.log2(count) / 2))
        outer = -(-count // inner)
        # products small enough for one thread where there are many of them: threads that wait for each other on a
        # busy machine cost far more than they gain
        chunk = max(1, (_SMALL // count) if count <= 4096 else (_CELLS // (2 * max(inner, outer))))
        bounds = self._rounding(step, count)
        for row, (losses, weights) in enumerate(zip(self.loss, self.weight, strict=True)):
            values = np.zeros((outer, inner), dtype=np.complex128)
            for start in range(0, len(losses), chunk):
                loss, weight = losses[start : start + chunk], weights[start : start + chunk]
                near = _powers(1j * step * loss, inner)
                far_weight = _powers(1j * (step * inner) * loss, outer) * weight
                values += far_weight @ near.T
                values += far_weight.sum(axis=1)[:, None]
                values += near @ weight
            yield row, values.ravel()[:count], bounds[row]

    def _rounding(self, step: float, count: int) -> np.ndarray:
        """error_k [M, count], evaluated where k is a power of 4 (it rises with k) and held up to the next."""
        size, length = np.abs(self.weight), np.abs(self.loss)
        relative = self.weight_error + (6 * size.shape[1] + 200) * _EPS
        absolute = self.loss_error + 32 * _EPS * length
        slope = np.sum(size * absolute, axis=1)
        bounds = np.empty((len(size), count))
        start, stop = 0, 1
        while start < count:
            y = step * (min(stop, count) - 1)
            level = np.sum(size * np.minimum(2.0, y * length) * relative, axis=1) + y * slope
            bounds[:, start:stop] = level[:, None]
            start, stop = stop, 4 * stop
        return bounds + 2 * self.error[:, None]


def _powers(exponent: np.ndarray, count: int) -> np.ndarray:
    """e^{k exponent} - 1 for k = 0 .. count - 1, [count, J], by doubling: u_{a+b} = u_a + u_b + u_a u_b."""
    table = np.zeros((count, len(exponent)), dtype=np.complex128)
    filled = 1
    while filled < count:
        jump = _expm1(filled * exponent)
        take = min(filled, count - filled)
        np.multiply(table[:take], 1 + jump, out=table[filled : filled + take])
        table[filled : filled + take] += jump
        filled += take
    table.imag[np.abs(table.imag) < 1e-100] = 0.0  # subnormal numbers would slow the products down tenfold
    return table


def _shift(pair: Pair, sigma: float, tilt: float) -> float:
    """a: as large as the strip allows, kept where cos^-c and e^{a^2 / 2} cost little."""
    widths = [high - low for low, high in (pair.p.span, pair.q.span)]
    a = min(1.8, 0.45 * math.pi * sigma / max(widths))
    if widths[1] > 0:
        a = min(a, 2.5 * sigma / (widths[1] * math.sqrt(1 + tilt)))
    return a


def line(pair: Pair, sigmas: np.ndarray, tilt: float, repeats: float) -> Line | None:
    """The integrand of an oriented pair at c = tilt > 0 for each of ``sigmas``, fit for ``repeats`` compositions.

    None where it would take too many nodes.
    """
    least = float(sigmas.min())
    a = _shift(pair, least, tilt)
    spread_q = pair.q.span[1] - pair.q.span[0]
    log_rise = 2 * a * a - (tilt * math.log(math.cos(a * spread_q / least)) if spread_q else 0.0)
    h = 2 * math.pi * a / (38 + math.log(repeats + 1) + log_rise)
    low, high = edges(pair, sigmas, tilt)
    if not (high - low) / h < MAX_NODES:
        return None
    real = h * np.arange(math.floor(low / h), math.ceil(high / h) + 1, dtype=np.float64)
    t = real + 1j * a
    sigma = sigmas[:, None]
    log_a, log_b = pair.p.log(t, sigma), pair.q.log(t, sigma)
    exponent = -0.5 * t * t + (1 + tilt) * log_a - tilt * log_b
    top = exponent.real.max(axis=1)
    weight = np.exp(exponent - top[:, None])
    total = weight.real.sum(axis=1)
    quadrature = (1 + math.exp(log_rise)) / math.expm1(2 * math.pi * a / h)
    tails = _density(pair, sigma, tilt, real[[0, -1]], top) * (math.exp(log_rise / 2) / (h * REACH))
    size = np.abs(weight)
    keep = np.flatnonzero(np.any(size > (_PRUNE / len(t)) * total[:, None], axis=0))
    weight, loss = weight[:, keep] / total[:, None], (log_a - log_b)[:, keep]
    moved_a = moved(pair.p, sigma, t[keep], log_a[:, keep])
    moved_b = moved(pair.q, sigma, t[keep], log_b[:, keep])
    weight_error = _EPS * (2 * np.abs(top) + 6)[:, None] + _EPS * (
        3 * np.abs(t[keep]) ** 2 + (1 + tilt) * moved_a + tilt * moved_b
    )
    error = quadrature + tails / total + _PRUNE
    spread = np.sum(np.abs(weight) * (weight_error + 64 * _EPS), axis=1)
    if not np.all(error + spread < 0.01):
        return None  # beyond the first order
    log_scale = top + np.log(total * h / math.sqrt(2 * math.pi))
    scale_error = 2 * (error + spread) + 4 * _EPS * (np.abs(top) + np.abs(log_scale) + 4)
    return Line(loss, weight, _EPS * (moved_a + moved_b), weight_error, error, log_scale, scale_error)


def _density(pair: Pair, sigma: np.ndarray, tilt: float, ends: np.ndarray, top: np.ndarray) -> np.ndarray:
    """The tilted density at the two ends of the real line, over e^top, summed, [M]."""
    logs = -0.5 * ends**2 + (1 + tilt) * pair.p.log(ends, sigma) - tilt * pair.q.log(ends, sigma)
    value: np.ndarray = np.exp(np.minimum(logs - top[:, None], 700.0)).sum(axis=1)
    return value


def moved(mixture: Mixture, sigma: np.ndarray | float, t: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Bound on the rounding of a mixture's log, in units of 2^-52, node by node."""
    if not mixture.means:
        return np.zeros(logs.shape)
    share = np.minimum(1.0, 2 * np.abs(1 - mixture.rest * np.exp(-logs)) + 1e-12)
    largest = max(abs(m) for m in mixture.means)
    rise = np.abs(t) * largest / sigma + largest**2 / (2 * sigma**2)
    value: np.ndarray = 16 * np.abs(logs) + 6 * share * rise
    return value


def blocks(pair: Pair, sigmas: np.ndarray, tilt: float) -> Iterator[slice]:
    """Slices of ascending noise multipliers that lie close together and fit in memory."""
    farthest = max(abs(m) for m in (*pair.p.span, *pair.q.span))
    start = 0
    while start < len(sigmas):
        least = float(sigmas[start])
        nodes = (2 * REACH + (1 + tilt) * farthest / least) / (0.1 * _shift(pair, least, tilt))
        most = max(1, int(_CELLS / 4 / nodes))
        stop = int(np.searchsorted(sigmas, least * 1.15, side="right"))
        stop = min(max(stop, start + 1), start + most)
        yield slice(start, stop)
        start = stop
