"""Poisson sampling, add-remove or zero-out, of a person who holds up to k records.

Given the other records' coins, the person's records S that are drawn, with probability q^|S| (1 - q)^(k - |S|),
move the sum by a vector of norm at most |S| C. A mixture of Gaussians against N(0) is dominated, in each
direction, by the one-dimensional mixture whose means are bounds on those norms (Choquette-Choo, Ganesh, Steinke,
Thakurta 2023, arXiv 2310.15526, Lemma 4.5), so
    sum_j Binomial(k, q)(j) N(j)   against   N(0)
dominates, and k equal contributions of norm C attain it. Neighbours differ by all the person's records on one
side: exchanging some records for others is not covered (that is replace-one).

RDP: with r = dP / dQ, E_Q[r^alpha] (remove) and E_Q[r^(1 - alpha)] (add), the larger of the two, by the trapezoidal
rule on the line. On |Im t| <= a <= 2 pi sigma / (3 k) the components' phases span at most 2 pi / 3, so that
r(t) / 2 <= |r(t + ib)| <= r(t): the integral on such a line is at most e^{a^2 / 2} 2^alpha times the one wanted
(Trefethen & Weideman 2014, Theorem 5.1). The logarithmic slope of r is in [0, k / sigma], so cutting 14 beyond
the integrand's last possible peak leaves less than e^{-90} of it.

G1. Upper values, above the exact ones by less than 1e-12 relative plus 1e-13 / (alpha - 1). Above 2^18 nodes, and for
    more than 256 distinct multipliers (each lowered to the least of its group), less tight.
G2. Never above the bound of one record of norm k C drawn at rate 1 - (1 - q)^k, which dominates too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from refdp.accounting import _upper
from refdp.accounting.pairs import Mixture, Pair
from refdp.accounting.rdp_poisson import rdp_values

_EPS = float(np.finfo(np.float64).eps)
_MAX_POINTS = 1 << 18
_GROUPS = 256
_TAIL = 14.0
_WEIGHT_ERROR = 2e-12  # of the binomials, relative


@dataclass(frozen=True)
class PoissonGroup:
    """One Poisson-sampled step of a person with ``size`` >= 2 records; ``rate`` in (0, 1)."""

    rate: float
    size: int
    attained: bool = True
    sampled = True

    @property
    def distance(self) -> float:
        return float(self.size)

    @property
    def name(self) -> str:
        return f"poisson, rate {self.rate:.6g}, {self.size} records a person"

    @property
    def chance(self) -> float:
        """That any of the person's records takes part."""
        return -math.expm1(self.size * math.log1p(-self.rate)) * (1 + 8 * _EPS)

    def rdp(self, multipliers: np.ndarray, order: float) -> np.ndarray:
        """Upper RDP, float64 [M]."""
        sigma = np.asarray(multipliers, dtype=np.float64)
        least = _upper.unsampled_rdp(self.distance, sigma, order)
        once = -math.expm1(self.size * math.log1p(-self.rate)) * (1 + 8 * _EPS)
        if once < 1:
            least = np.minimum(least, rdp_values(once, sigma / self.size * (1 - 2 * _EPS), order))
        low = sigma if len(sigma) <= _GROUPS else _lowered(sigma)
        distinct, index = np.unique(low, return_inverse=True)
        exact = np.array([self._rdp(float(x), order) for x in distinct])[index]
        return np.minimum(least, exact)

    def _rdp(self, sigma: float, order: float) -> float:
        moments = [self._log_moment(sigma, power) for power in (order, 1 - order)]
        return max(*moments, 0.0) / (order - 1) * (1 + 8 * _EPS)

    def _log_moment(self, sigma: float, power: float) -> float:
        """Upper value of log E_Q[(dP / dQ)^power]; inf where it would need too many nodes."""
        slope = self.size / sigma
        height = min(2 * math.pi / (3 * slope), 8.0)
        h = 2 * math.pi * height / (height**2 / 2 + max(-power, 0.0) * math.log(2) + 45)
        low, high = min(power * slope, 0.0) - _TAIL, max(power * slope, 0.0) + _TAIL
        if not (high - low) / h < _MAX_POINTS:
            return math.inf
        t = low + h * np.arange(math.ceil((high - low) / h) + 1)
        loss = self._mixture().log(t, sigma)
        logs = -0.5 * t * t + power * loss
        peak = float(logs.max())
        terms = np.exp(logs - peak)
        total = float(terms.sum())
        value = peak + math.log(total * h / math.sqrt(2 * math.pi))
        size = t * t + abs(power) * (np.abs(loss) + slope * (np.abs(t) + slope))
        mean_size = float((terms * size).sum()) / total
        return value + _EPS * (64 + 6 * mean_size + 4 * abs(peak))

    def _mixture(self, scale: float = 1.0) -> Mixture:
        """sum_j Binomial(size, rate)(j) N(j), without its j = 0; weights times ``scale``, at least 1e-290."""
        k, q = self.size, self.rate
        j = np.arange(1, k + 1)
        binomials = np.array([math.log(math.comb(k, i)) for i in range(1, k + 1)])
        weights = np.maximum(np.exp(binomials + j * math.log(q) + (k - j) * math.log1p(-q)), 1e-290)
        if math.fsum(weights) * scale < 1:
            weights = weights * scale
        return Mixture(tuple(float(i) for i in j), tuple(weights.tolist()))

    def upper_pairs(self) -> tuple[Pair, Pair] | None:
        if (1 - self.rate) ** self.size < 1e-6:
            return None  # what is left at 0 would be lost in the weights' rounding
        mixed = self._mixture(1 + _WEIGHT_ERROR)
        return Pair(mixed, Mixture()), Pair(Mixture(), mixed)

    def lower_pairs(self) -> tuple[Pair, Pair] | None:
        if not self.attained or (1 - self.rate) ** self.size < 1e-6:
            return None
        mixed = self._mixture(1 - _WEIGHT_ERROR)
        return Pair(mixed, Mixture()), Pair(Mixture(), mixed)

    def unsampled_mu(self, multiplier: float) -> float:
        return self.distance / multiplier


def _lowered(sigma: np.ndarray) -> np.ndarray:
    """Multipliers rounded down to one of _GROUPS equal steps of the logarithm."""
    low, high = float(sigma.min()), float(sigma.max())
    edges = np.geomspace(low, high, _GROUPS) * (1 - 4 * _EPS)
    edges[0] = low
    value: np.ndarray = edges[np.searchsorted(edges, sigma, side="right") - 1]
    return value
