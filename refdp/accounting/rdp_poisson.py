"""Renyi DP of the Poisson-sampled Gaussian mechanism, one step.

Mironov, Talwar, Zhang 2019, "Renyi Differential Privacy of the Sampled Gaussian Mechanism" (arXiv 1908.10530).
With P = (1 - q) N(0, sigma^2) + q N(1, sigma^2) and Q = N(0, sigma^2) (sensitivity 1), the mechanism's RDP at
order alpha > 1 under add-remove (and zero-out: the null record contributes 0, the same pair) is
    max(D_alpha(P || Q), D_alpha(Q || P)) = D_alpha(P || Q) = log(A) / (alpha - 1),
the remove direction dominating by Theorem 5 there (tests evaluate both directions all the same).

Guarantees:
G1. Values are upper bounds: each evaluation's own error bound is added, so none is below the exact value.
G2. They exceed it by less than 1e-9 relative wherever the evaluation is resolved (all of rate 1e-9..1,
    multiplier .005..1e6, order up to 1e5 tried); elsewhere they fall back to the unsampled Gaussian's value,
    which is an upper bound too (convexity).
G3. Rounding towards the safe side at the rims: a rate below 1e-100 is raised to it, a noise multiplier above
    1e9 lowered to it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from refdp.accounting import _binomial, _checks, _quadrature
from refdp.accounting.errors import AccountingError
from refdp.accounting.rdp_gaussian import rdp_gaussian

_EPS = float(np.finfo(np.float64).eps)
_MIN_RATE, _MAX_MULTIPLIER, _MIN_MULTIPLIER = 1e-100, 1e9, 1e-4


def _from_moment(moment: _quadrature.Moment, beta: float) -> np.ndarray:
    """Upper value of log(1 + exp(log_excess)) / beta, with the moment's error added."""
    raised = moment.log_excess + moment.error
    with np.errstate(over="ignore"):
        log_moment = np.where(raised > 30, raised + np.exp(-raised), np.log1p(np.exp(np.minimum(raised, 30))))
    value: np.ndarray = log_moment / beta * (1 + 8 * _EPS)
    return value


def rdp_values(sample_rate: float, noise_multipliers: np.ndarray, order: float) -> np.ndarray:
    """Upper RDP of one step at one order (> 1) for each noise multiplier (> 0), float64 [M]."""
    sigma = np.asarray(noise_multipliers, dtype=np.float64)
    with np.errstate(over="ignore", divide="ignore"):
        unsampled = np.where(sigma > 0, rdp_gaussian(1.0, np.full(sigma.shape, order)) / sigma**2, math.inf)
        unsampled = unsampled * (1 + 4 * _EPS)
    if sample_rate == 0:
        return np.zeros_like(sigma)
    if sample_rate == 1:
        return unsampled
    q = max(sample_rate, _MIN_RATE)
    result = unsampled.copy()
    usable = np.flatnonzero(sigma >= _MIN_MULTIPLIER)
    if usable.size == 0:
        return result
    clipped = np.minimum(sigma[usable], _MAX_MULTIPLIER)
    scale = np.floor(np.log2(clipped) / 2)  # one set of nodes serves multipliers within a factor 4
    closed = order == int(order) and order <= _binomial.MAX_ORDER
    for part in [clipped > 0] if closed else [scale == s for s in np.unique(scale)]:
        moment: _quadrature.Moment | None
        if closed:
            moment = _binomial.integer_moment(q, clipped, int(order))
        else:
            moment = _quadrature.remove_moment(q, clipped[part], order)
        if moment is None:
            continue
        value = _from_moment(moment, order - 1)
        if np.any(np.isnan(value)):
            raise AccountingError(
                f"RDP at order {order!r}, sample_rate {sample_rate!r}: the evaluation failed; please report it"
            )
        result[usable[part]] = np.minimum(unsampled[usable[part]], value)
    return result


def _orders(orders: Any) -> np.ndarray:
    try:
        given = np.atleast_1d(np.asarray(orders))
    except (TypeError, ValueError):
        raise AccountingError(f"orders = {orders!r}: must be finite numbers > 1") from None
    if given.size and given.dtype.kind not in "iuf":  # text, bools, complex, objects
        raise AccountingError(f"orders = {orders!r}: must be finite numbers > 1")
    array = given.astype(np.float64)
    if array.ndim != 1 or not np.all(np.isfinite(array)) or not np.all(array > 1):
        raise AccountingError(f"orders = {orders!r}: must be finite numbers > 1")
    return array


def rdp_poisson_gaussian(sample_rate: float, noise_multiplier: float, orders: Any) -> np.ndarray:
    """Upper values of the RDP of one Poisson-sampled Gaussian step, add-remove or zero-out.

    Args:
        sample_rate: probability q in [0, 1] with which each record takes part, independently.
        noise_multiplier: noise standard deviation on the sum / clip norm, finite and >= 0 (0: infinite).
        orders: one order or a sequence of orders, each finite and > 1.

    Returns:
        float64 [len(orders)], in nats.

    Raises:
        AccountingError: an argument outside these ranges, NaN included.

    >>> float(rdp_poisson_gaussian(1.0, 2.0, [3.0])[0])  # alpha / (2 sigma^2)
    0.375...
    """
    q = _checks.probability("sample_rate", sample_rate)
    sigma = np.array([_checks.non_negative("noise_multiplier", noise_multiplier)])
    return np.array([rdp_values(q, sigma, float(order))[0] for order in _orders(orders)])


def rdp_poisson_gaussian_add(sample_rate: float, noise_multiplier: float, orders: Any) -> np.ndarray:
    """The add direction D_alpha(Q || P), never the larger one: for checking that it is not."""
    q = _checks.probability("sample_rate", sample_rate)
    sigma = _checks.positive("noise_multiplier", noise_multiplier)
    array = _orders(orders)
    if q in (0.0, 1.0):
        return q * rdp_gaussian(1 / sigma**2, array)
    moments = [_quadrature.add_moment(max(q, _MIN_RATE), sigma, float(order)) for order in array]
    if any(moment is None for moment in moments):
        raise AccountingError("the add direction at these orders needs too many points")
    return np.array([_from_moment(m, a - 1)[0] for m, a in zip(moments, array, strict=True) if m])
