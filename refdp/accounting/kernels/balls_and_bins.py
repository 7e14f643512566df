"""One epoch of balls and bins: each record falls into one of m steps, uniformly and independently, afresh each epoch.

Given the others' bins, which are independent of the record's, the epoch's m outputs are a post-processing (also
where each step is chosen from those before it: turn and shrink one coordinate at a time) of the pair
    P = (1 / m) sum_i N(e_i, sigma^2 I)   against   Q = N(0, sigma^2 I)   in R^m,
under add-remove and zero-out (Chua et al. 2024, arXiv 2412.16802). Its Renyi moments:
    remove  E_Q[(dP/dQ)^alpha] = alpha! m^-alpha [z^alpha] (sum_k e^{k (k - 1) / (2 sigma^2)} z^k / k!)^m for integers,
            all terms positive; its logarithm is convex in alpha and 0 at 1, so chords bound the orders between;
    add     dP/dQ = mean r_i >= prod r_i^(1/m) (arithmetic and geometric mean), with r_i independent and log-normal:
            D_alpha(Q || P) <= (1 + (alpha - 1) / m) / (2 sigma^2).
The add bound does not vanish as m grows: true but loose there.

G1. ``rdp`` is the larger of the two, and never above one unsampled Gaussian step (joint convexity over bins).
G2. Remove moments up to order 256; the unsampled value above.
G3. ``lower_pairs``: a look at one step alone, a Poisson pair of rate 1 / m.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from refdp.accounting import _upper
from refdp.accounting.pairs import Pair, poisson_pairs

_EPS = float(np.finfo(np.float64).eps)
_MAX_ORDER = 256


@dataclass(frozen=True)
class BallsAndBins:
    """One epoch of ``bins`` >= 2 steps, under add-remove or zero-out."""

    bins: int
    attained: bool = True
    sampled = True
    distance = 1.0

    @property
    def name(self) -> str:
        return f"balls and bins, {self.bins} steps an epoch"

    @property
    def chance(self) -> float:
        """That the record takes part."""
        return 1.0

    def rdp(self, multipliers: np.ndarray, order: float) -> np.ndarray:
        """Upper RDP of one epoch, float64 [M]."""
        sigma = np.asarray(multipliers, dtype=np.float64)
        unsampled = _upper.unsampled_rdp(self.distance, sigma, order)
        if math.ceil(order) > _MAX_ORDER:
            return unsampled
        add = unsampled * ((1 + (order - 1) / self.bins) / order) * (1 + 8 * _EPS)
        distinct, index = np.unique(sigma, return_inverse=True)
        remove = np.array([self._remove(float(x), order) for x in distinct])[index]
        return np.minimum(unsampled, np.maximum(add, remove))

    def _remove(self, sigma: float, order: float) -> float:
        if sigma < 1e-3:
            return math.inf
        low, high = math.floor(order), math.ceil(order)
        logs = _log_moments(self.bins, sigma, high)
        moment = logs[high] if low == high else (high - order) * logs[low] + (order - low) * logs[high]
        return float(moment) / (order - 1) * (1 + 8 * _EPS)

    def upper_pairs(self) -> None:
        """The pair is one of m dimensions."""
        return

    def lower_pairs(self) -> tuple[Pair, Pair] | None:
        remove, add = poisson_pairs(1 / self.bins * (1 - _EPS))
        return (remove, add) if self.attained else None

    def unsampled_mu(self, multiplier: float) -> float:
        return self.distance / multiplier


def _log_moments(bins: int, sigma: float, highest: int) -> np.ndarray:
    """Upper values of log E_Q[(dP / dQ)^a], a = 0 .. highest."""
    k = np.arange(highest + 1)
    base = k * (k - 1) / (2 * sigma * sigma) - gammaln(k + 1)
    power = np.where(k == 0, 0.0, -np.inf)
    for bit in bin(bins)[2:]:
        power = _multiplied(power, power)
        if bit == "1":
            power = _multiplied(power, base)
    logs = power + gammaln(k + 1) - k * math.log(bins)
    sizes = np.abs(base).max() + gammaln(k + 1) + k * math.log(bins) + highest
    value: np.ndarray = np.maximum(logs + _EPS * 8 * (2 + math.log2(bins)) * sizes, 0.0)
    value[:2] = 0.0
    return value


def _multiplied(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Logarithms of the coefficients of a product of power series, cut at their length."""
    return np.array([logsumexp(a[: i + 1] + b[i::-1]) for i in range(len(a))])
