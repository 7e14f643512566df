"""A fresh batch of exactly b of n records each step, under replace-one; q = b / n.

Let the n-th record be replaced. Given that it is drawn the outputs are P1, Q1, given that it is not P0 (the
same for both): P = (1 - q) P0 + q P1, Q = (1 - q) P0 + q Q1. P1 and Q1 differ in one contribution; a batch
without the record becomes one with it by exchanging one member: each two of P0, P1, Q1 are mixtures of
Gaussians at distance at most 2 C, coupled. Advanced joint convexity (Balle, Barthe, Gaboardi 2018, arXiv
1807.01647, Theorem 2) then gives for gamma >= 1, gamma = 1 + q (gamma' - 1),
    H_gamma(P || Q) <= q H_gamma'(N(2) || N(0)) = H_gamma((1 - q) N(0) + q N(2) || N(0)),
and the same for (Q, P), so that for gamma < 1 the profile is the reversed pair's: a kinked one, which no single
of the two pairs dominates under composition (Zhu, Dong, Wang 2022, arXiv 2106.08567, Proposition 30; Lebeda,
Regehr, Kamath, Steinke, arXiv 2405.20769). Its Renyi moment is an upper bound (see ``_half_line``, one-sided,
with multiplier / 2), below the ternary bound of Wang, Balle, Kasiviswanathan 2019 (arXiv 1808.00087, Theorem 9)
in every cell tested.

G1. Replace-one only. Add-remove and zero-out are refused by the scheme: another record takes the freed place,
    and their Poisson pair under-reports delta 37 times at multiplier 1, rate .1, epsilon 1.
G2. ``lower_pairs``: every other contribution -C, the record C against -C: the sum is -b C + 2 C [drawn].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refdp.accounting import _upper
from refdp.accounting._half_line import symmetric_moment
from refdp.accounting.pairs import Kinked, Mixture, Pair


@dataclass(frozen=True)
class WithoutReplacement:
    """One step on b of n records; ``rate`` = b / n in (0, 1)."""

    rate: float
    attained: bool = True
    sampled = True
    distance = 2.0

    @property
    def name(self) -> str:
        return f"without replacement under replace-one, rate {self.rate:.6g}"

    def log_excess(self, multipliers: np.ndarray, order: float) -> np.ndarray | None:
        """Upper value of log(moment - 1), or None where unresolved."""
        q = max(self.rate, _upper.MIN_RATE)
        return _upper.raised(symmetric_moment(q, multipliers / self.distance, order, mirrored=False))

    @property
    def chance(self) -> float:
        """That the record takes part."""
        return self.rate

    def rdp(self, multipliers: np.ndarray, order: float) -> np.ndarray:
        """Upper RDP, float64 [M], at most 1e-9 relative above the profile's; the unsampled value where unresolved."""
        return _upper.upper_rdp(
            lambda sigma: self.log_excess(sigma, order),
            np.asarray(multipliers, dtype=np.float64),
            order,
            _upper.unsampled_rdp(self.distance, multipliers, order),
            self.name,
        )

    def upper_pairs(self) -> tuple[Kinked, Kinked]:
        """The pair with the dominating profile (kinked.py): its own reverse."""
        pair = Kinked(self.distance, self.rate)
        return pair, pair

    def lower_pairs(self) -> tuple[Pair, Pair] | None:
        if not self.attained:
            return None
        mixed, plain = Mixture((self.distance,), (self.rate,)), Mixture()
        return Pair(mixed, plain), Pair(plain, mixed)

    def unsampled_mu(self, multiplier: float) -> float:
        """With the draw shown, two Gaussians at distance 2."""
        return self.distance / multiplier
