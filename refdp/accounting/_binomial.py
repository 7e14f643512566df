"""The Renyi moment at integer orders, in closed form.

Mironov, Talwar, Zhang 2019 (arXiv 1908.10530), section 3.3: for integer alpha
    A = sum_k C(alpha, k) (1 - q)^(alpha - k) q^k e^{k (k - 1) / (2 sigma^2)}.
The terms with the exponential replaced by 1 sum to one, so
    A - 1 = sum_{k >= 2} C(alpha, k) (1 - q)^(alpha - k) q^k (e^{k (k - 1) / (2 sigma^2)} - 1),
all terms positive: no cancellation at tiny rates. Logarithms of binomials are of exact integers.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from refdp.accounting._quadrature import Moment

MAX_ORDER = 1100

_EPS = float(np.finfo(np.float64).eps)


@lru_cache(maxsize=64)
def _log_binomials(alpha: int) -> np.ndarray:
    """log C(alpha, k) for k = 2 .. alpha."""
    row, value = [], alpha
    for k in range(2, alpha + 1):
        value = value * (alpha - k + 1) // k
        row.append(math.log(value))
    return np.array(row)


def integer_moment(q: float, sigma: np.ndarray, alpha: int) -> Moment:
    """E[(1 + u)^alpha] for each noise multiplier in ``sigma`` [M]; 0 < q < 1, 2 <= alpha <= MAX_ORDER."""
    k = np.arange(2, alpha + 1, dtype=np.float64)
    weights = _log_binomials(alpha) + (alpha - k) * math.log1p(-q) + k * math.log(q)
    exponents = k * (k - 1) / (2 * sigma[:, None] ** 2)
    with np.errstate(under="ignore"):
        # log(e^y - 1) = y + log(1 - e^-y)
        terms = weights + exponents + np.log(-np.expm1(-exponents))
    top = terms.max(axis=1, keepdims=True)
    scaled = np.exp(terms - top)
    total = scaled.sum(axis=1)
    size = np.abs(_log_binomials(alpha)) + np.abs((alpha - k) * math.log1p(-q)) + k * abs(math.log(q))
    mean_size = (scaled * (size + 2 * exponents)).sum(axis=1) / total
    return Moment(top[:, 0] + np.log(total), _EPS * (16 + 4 * mean_size + 2 * np.abs(top[:, 0])))
