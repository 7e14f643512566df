"""Steps in which nothing is amplified: full batches, fixed order, and shuffled epochs as an upper bound.

A step is N(m, 1) against N(0, 1), m = distance / noise multiplier, and its RDP is order * m^2 / 2
(arXiv 1702.07476, Proposition 7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refdp.accounting.pairs import Mixture, Pair
from refdp.accounting.rdp_gaussian import rdp_gaussian

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Unsampled:
    """A plain Gaussian step.

    Attributes:
        distance: between two neighbours' clipped sums, in units of C.
        attained: whether neighbours attain it; False for an upper bound alone (shuffle).
    """

    distance: float
    attained: bool = True
    sampled = False

    @property
    def name(self) -> str:
        return f"unsampled, distance {self.distance:.6g}" + ("" if self.attained else ", upper bound only")

    @property
    def chance(self) -> float:
        """That the record takes part."""
        return 1.0

    def rdp(self, multipliers: np.ndarray, order: float) -> np.ndarray:
        """Upper RDP, float64 [M] (widened by 16 ulp)."""
        sigma = np.asarray(multipliers, dtype=np.float64)
        with np.errstate(divide="ignore", over="ignore"):
            mu = self.distance / sigma
            return rdp_gaussian(1.0, np.full(sigma.shape, order)) * mu * mu * (1 + 8 * _EPS) + 1e-300

    def upper_pairs(self) -> tuple[Pair, Pair]:
        there, here = Mixture((self.distance,), (1.0,)), Mixture()
        return Pair(there, here), Pair(here, there)

    def lower_pairs(self) -> tuple[Pair, Pair] | None:
        return self.upper_pairs() if self.attained else None

    def unsampled_mu(self, multiplier: float) -> float:
        return self.distance / multiplier
