"""Poisson sampling under replace-one.

A record moves the sum by u, its replacement by v, both of norm at most C, and the two share one coin:
    P = (1 - q) N(0) + q N(u)      Q = (1 - q) N(0) + q N(v).
P - g Q = q phi_u - (1 - q)(g - 1) phi_0 - g q phi_v; for a fixed power on phi_u, Neyman-Pearson bounds phi_0 by
distance 1 and phi_v by distance 2, and collinear antipodal points attain both with one half-line. So
(1 - q) N(0) + q N(-1) against (1 - q) N(0) + q N(1) dominates every such pair, in
both directions (its mirror image is its reverse), and is attained by contributions -C and C. It is not the
add-remove pair at half the multiplier, and at multiplier 1 costs about twice what add-remove does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refdp.accounting import _upper
from refdp.accounting._half_line import symmetric_moment
from refdp.accounting.pairs import Pair, poisson_replace_pair


@dataclass(frozen=True)
class PoissonReplace:
    """One Poisson-sampled step under replace-one; ``rate`` in (0, 1).

    ``attained`` is False where no record and replacement can be antipodal (a histogram beside the gradient).
    """

    rate: float
    attained: bool = True
    sampled = True
    distance = 2.0

    @property
    def name(self) -> str:
        return f"poisson under replace-one, rate {self.rate:.6g}"

    @property
    def chance(self) -> float:
        """That the record takes part."""
        return self.rate

    def rdp(self, multipliers: np.ndarray, order: float) -> np.ndarray:
        """Upper RDP, float64 [M], at most 1e-9 relative above the pair's; the unsampled value where unresolved."""
        q = max(self.rate, _upper.MIN_RATE)
        return _upper.upper_rdp(
            lambda sigma: _upper.raised(symmetric_moment(q, sigma, order, mirrored=True)),
            np.asarray(multipliers, dtype=np.float64),
            order,
            _upper.unsampled_rdp(self.distance, multipliers, order),
            self.name,
        )

    def upper_pairs(self) -> tuple[Pair, Pair]:
        (pair,) = poisson_replace_pair(self.rate)
        return pair, pair

    def lower_pairs(self) -> tuple[Pair, Pair] | None:
        return self.upper_pairs() if self.attained else None

    def unsampled_mu(self, multiplier: float) -> float:
        """With the coin shown, N(u) against N(v): distance 2."""
        return self.distance / multiplier
