"""Moments of the Poisson-sampled Gaussian's likelihood ratio, by a rule that converges exponentially.

Let t ~ N(0, 1) be the noise in units of its standard deviation sigma, x = t / sigma - 1 / (2 sigma^2),
    1 + u = 1 - q + q e^x,     E[u] = 0,     L = log(1 + u).
The Renyi moment is A = E[(1 + u)^alpha], and A - 1 = E[g(u)] with
    g(u) = (1 + u)^alpha - 1 - alpha u = (1 + u) (e^{beta L} - 1 - beta L) + beta ((1 + u) L - u),  beta = alpha - 1,
a sum of two terms >= 0: nothing cancels, so A - 1 keeps its relative accuracy down to order 1 and to
rates and moments as small as floating point holds. In the add direction, A' = E[(1 + u)^-beta],
    A' - 1 = E[(e^{-beta L} - 1 + beta L) + beta (u - L)],   again two terms >= 0.

Rule: the trapezoidal rule on the line. The integrand is analytic for |Im t| < pi sigma (where 1 + u
vanishes), and on |Im t| <= a, a = min(pi sigma / 3, 8), it is bounded by e^{a^2/2} (1 + a^2) times a constant
times its integral on the line, since |1 - q + q e^{x + iy}| <= 1 - q + q e^x and, for |y| <= pi/3,
>= half of that. Hence (Trefethen & Weideman, SIAM Review 2014, Theorem 5.1) the discretisation error is at
most 2 M / (e^{2 pi a / h} - 1), and h is chosen to put it below 1e-17 of the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from refdp.accounting._special import entropy_gap, expm1_minus, log_gap

_EPS = float(np.finfo(np.float64).eps)
_CELLS = 1 << 18  # array elements at a time
_ROWS = 16  # multipliers at a time
_MAX_POINTS = 1 << 20
_TAIL = 14.0  # exp(-14^2 / 2) = 3e-43


@dataclass(frozen=True)
class Moment:
    """log A = log(1 + exp(log_excess)), with a bound on the error of log_excess (arrays [M])."""

    log_excess: np.ndarray
    error: np.ndarray


def _step(noise_multiplier: float) -> float:
    strip = min(math.pi * noise_multiplier / 3, 8.0)
    return 2 * math.pi * strip / (strip**2 / 2 + math.log(32 * (1 + strip**2)) + 40)


def _nodes(low: float, high: float, h: float) -> np.ndarray | None:
    """Multiples of h covering [low, high], or None where there would be too many."""
    if not (high - low) / h < _MAX_POINTS:
        return None
    first, last = math.floor(low / h), math.ceil(high / h)
    return h * np.arange(first, last + 1, dtype=np.float64)


def _remove_nodes(q: float, sigma: np.ndarray, alpha: float, h: float) -> np.ndarray | None:
    """Nodes [n] or [M, n] where the integrand lives: bumps near t = 0 and near t = alpha / sigma."""
    near, far = float(sigma.max()), float(sigma.min())
    reach = max(alpha, 2.0)
    log_floor = alpha * math.log(q) + alpha * (alpha - 1) / (2 * near**2)  # log A is at least this
    # D(P || Q) >= kl_floor: L >= log(1 - q), and under P, L >= log q + 1/(2 sigma^2) with probability >= q / 2
    kl_floor = q / 2 * (math.log(q) + 1 / (2 * near**2)) + math.log1p(-q)
    extra = 0.0
    if log_floor <= 1 and kl_floor > 0:
        extra = max(0.0, math.log(8 * alpha**2 / far**2) - math.log(kl_floor))
    width = math.sqrt(2 * (45 + alpha * math.log(2) + extra))
    low, high = -_TAIL, reach / far + _TAIL
    if (log_floor > 1 or kl_floor > 0) and alpha / near - width > width:
        # (1 - q + q e^x)^alpha <= 2^alpha max(1, q^alpha e^{alpha x}): between the two bumps, nothing. Near
        # order 1, where A - 1 is small: g(u) <= alpha beta log(1 + u) (1 + u)^alpha for u >= 0 and <= beta
        # for u < 0, against A - 1 >= beta kl_floor (Jensen).
        left = _nodes(-width, width, h)
        if left is None or 2 * len(left) > _MAX_POINTS:
            return None
        right = alpha / sigma[:, None] + left  # each multiplier's own second bump
        return np.concatenate([np.broadcast_to(left, right.shape), right], axis=1)
    return _nodes(low, high, h)


def _log_ratio(q: float, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """u (clipped to avoid overflow where it is not used) and L = log(1 + u)."""
    with np.errstate(over="ignore"):
        u = q * np.expm1(np.minimum(x, 600.0))
    near = np.abs(u) < 0.25
    far = np.logaddexp(math.log1p(-q), math.log(q) + x)
    return u, np.where(near, np.log1p(np.where(near, u, 0.0)), far)


def _evaluate_remove(
    q: float, sigma: np.ndarray, alpha: float, t: np.ndarray, h: float
) -> tuple[np.ndarray, np.ndarray]:
    beta = alpha - 1
    s = sigma[:, None]
    x = t / s - 1 / (2 * s * s)
    u, log_ratio = _log_ratio(q, x)
    gauss = -0.5 * t * t
    top = np.maximum(0.0, np.max(alpha * log_ratio + gauss, axis=1, keepdims=True))
    weight = np.exp(gauss - top)
    weight_ratio = np.exp(log_ratio + gauss - top)
    v = beta * log_ratio
    first = np.where(
        v < 0.5,
        weight_ratio * expm1_minus(np.minimum(v, 0.5)),
        np.exp(alpha * log_ratio + gauss - top) - (1 + v) * weight_ratio,
    )
    small = np.abs(u) < 0.25
    second = np.where(
        small, weight * entropy_gap(np.where(small, u, 0.0)), weight_ratio * (log_ratio - 1) + weight
    )
    terms = first / beta + second
    total = terms.sum(axis=1)
    share = np.exp(np.minimum(math.log(q) + x - log_ratio, 0.0))
    size = alpha * np.abs(log_ratio) - gauss + alpha * share * (np.abs(t) / s + 1 / (2 * s * s))
    mean_size = (terms * size).sum(axis=1) / np.where(total > 0, total, 1.0)
    log_total = np.log(np.where(total > 0, total, np.nan)) + top[:, 0]
    log_excess = log_total + math.log(beta * h / math.sqrt(2 * math.pi))
    # ulp a term: the special functions' cancellation (<= 8), x near its zero (1/sigma), the exponents' size
    error = _EPS * (64 + 8 / sigma + 6 * mean_size + 4 * np.abs(top[:, 0]))
    error += _EPS * 4 * (np.abs(log_total) + np.abs(log_excess))  # the logarithms themselves are rounded
    return log_excess, error


def remove_moment(q: float, sigma: np.ndarray, alpha: float) -> Moment | None:
    """E[(1 + u)^alpha] for each noise multiplier in ``sigma`` [M]; 0 < q < 1, alpha > 1.

    None where the rule would need too many points; the caller then has the unsampled Gaussian's bound.
    """
    h = _step(float(sigma.min()))
    parts = []
    for i in range(0, len(sigma), _ROWS):
        block = sigma[i : i + _ROWS]
        t = _remove_nodes(q, block, alpha, h)
        if t is None:
            return None
        rows = max(1, _CELLS // t.shape[-1])
        for j in range(0, len(block), rows):
            own = t if t.ndim == 1 else t[j : j + rows]
            parts.append(_evaluate_remove(q, block[j : j + rows], alpha, own, h))
    return Moment(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def add_moment(q: float, sigma: float, alpha: float) -> Moment | None:
    """E[(1 + u)^-(alpha - 1)], the moment of the other direction."""
    beta = alpha - 1
    h = _step(sigma)
    t = _nodes(-beta / sigma - _TAIL, 2 / sigma + _TAIL, h)
    if t is None:
        return None
    x = t / sigma - 1 / (2 * sigma * sigma)
    u, log_ratio = _log_ratio(q, x)
    gauss = -0.5 * t * t
    top = max(0.0, float(np.max(gauss - beta * log_ratio)))
    v = -beta * log_ratio
    weight = np.exp(gauss - top)
    first = np.where(
        v < 0.5, weight * expm1_minus(np.minimum(v, 0.5)), np.exp(gauss - top + v) - (1 + v) * weight
    )
    small = np.abs(u) < 0.25
    gap = log_gap(np.where(small, u, 0.0))
    shifted = np.exp(np.log(q) + x + gauss - top) - q * weight  # u * weight, without overflow
    second = np.where(small, weight * gap, shifted - log_ratio * weight)
    terms = first / beta + second
    total = float(terms.sum())
    size = beta * np.abs(log_ratio) - gauss + beta * (np.abs(t) / sigma + 1 / (2 * sigma * sigma))
    error = _EPS * (64 + 8 / sigma + 6 * float((terms * size).sum()) / total + 4 * top)
    log_excess = math.log(total) + top + math.log(beta * h / math.sqrt(2 * math.pi))
    error += _EPS * 4 * (abs(math.log(total)) + abs(log_excess))
    return Moment(np.array([log_excess]), np.array([error]))
