"""From a moment with its error to an upper value of the RDP, with the unsampled Gaussian's where it is unresolved."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from refdp.accounting._quadrature import Moment
from refdp.accounting.errors import AccountingError

_EPS = float(np.finfo(np.float64).eps)
MIN_RATE, MAX_MULTIPLIER, MIN_MULTIPLIER = 1e-100, 1e9, 1e-4


def log_one_plus(log_excess: np.ndarray) -> np.ndarray:
    """log(1 + exp(log_excess)), kept where it is tiny."""
    with np.errstate(over="ignore", under="ignore"):
        far = log_excess + np.exp(-np.maximum(log_excess, 30.0))
        value: np.ndarray = np.where(log_excess > 30, far, np.log1p(np.exp(np.minimum(log_excess, 30))))
    return value


def upper_rdp(
    log_excess_of: Callable[[np.ndarray], np.ndarray | None],
    multipliers: np.ndarray,
    order: float,
    unsampled: np.ndarray,
    name: str,
) -> np.ndarray:
    """min(unsampled, log(1 + excess) / (order - 1)), float64 [M], the excess an upper value from a callback.

    The callback gets multipliers within a factor 4 of each other, in [1e-4, 1e9] (a larger one is lowered to
    that, a smaller one keeps the unsampled value), and returns None where it has no value.
    """
    result = unsampled.copy()
    usable = np.flatnonzero(multipliers >= MIN_MULTIPLIER)
    clipped = np.minimum(multipliers[usable], MAX_MULTIPLIER)
    scale = np.floor(np.log2(clipped) / 2)
    for one in np.unique(scale):
        part = scale == one
        raised = log_excess_of(clipped[part])
        if raised is None:
            continue
        if np.any(np.isnan(raised)):
            raise AccountingError(f"RDP at order {order!r}, {name}: the evaluation failed; please report it")
        value = log_one_plus(raised) / (order - 1) * (1 + 8 * _EPS)
        result[usable[part]] = np.minimum(unsampled[usable[part]], value)
    return result


def raised(moment: Moment | None) -> np.ndarray | None:
    """The moment's logarithm with its error added."""
    return None if moment is None else moment.log_excess + moment.error


def unsampled_rdp(distance: float, multipliers: np.ndarray, order: float) -> np.ndarray:
    """order (distance / multiplier)^2 / 2, rounded up (32 ulp, and above the least normal number)."""
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        mu = distance / np.asarray(multipliers, dtype=np.float64)
        value: np.ndarray = 0.5 * order * mu * mu * (1 + 32 * _EPS) + math.ldexp(1.0, -1000)
    return value
