"""Poisson sampling under add-remove or zero-out.

Each record takes part independently with probability q; the null record of zero-out contributes exactly 0, so
both relations have the pair (1 - q) N(0) + q N(1) against N(0) (arXiv 1908.10530; the pair is attained by a
record with contribution C among records that contribute nothing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refdp.accounting.pairs import Pair, poisson_pairs
from refdp.accounting.rdp_poisson import rdp_values


@dataclass(frozen=True)
class Poisson:
    """One Poisson-sampled step; ``rate`` in (0, 1); ``attained`` False where no neighbours are known to."""

    rate: float
    attained: bool = True
    sampled = True
    distance = 1.0

    @property
    def name(self) -> str:
        return f"poisson, rate {self.rate:.6g}"

    @property
    def chance(self) -> float:
        """That the record takes part."""
        return self.rate

    def rdp(self, multipliers: np.ndarray, order: float) -> np.ndarray:
        """Upper RDP, float64 [M]; its error bound is rdp_poisson's."""
        return rdp_values(self.rate, multipliers, order)

    def upper_pairs(self) -> tuple[Pair, Pair]:
        remove, add = poisson_pairs(self.rate)
        return remove, add

    def lower_pairs(self) -> tuple[Pair, Pair] | None:
        return self.upper_pairs() if self.attained else None

    def unsampled_mu(self, multiplier: float) -> float:
        """A Poisson step is a post-processing of the full one: keep it with probability q, else draw without."""
        return self.distance / multiplier
