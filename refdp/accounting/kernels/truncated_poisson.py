"""Poisson sampling with a capped batch: a batch of more than ``cap`` records is cut to a uniform subset of that size.

(The event of dp-accounting and JAX-Privacy; arXiv 2411.04205, 2508.15089. Derived here.) Let one of n records be
the one that neighbours differ in, T the other n - 1 records' coins, K = |T| ~ Binomial(n - 1, q), B the cap.
K < B: nothing is ever cut; given T the step is a Poisson step of rate q, and the pair of that relation dominates.
K >= B: without the record the batch is U, a uniform B-subset of the n - 1 others, whatever K is (T is exchangeable).
With its coin, and then kept with probability B / (K + 1), it is the record beside a uniform (B - 1)-subset: V. So
given K >= B the record takes part with probability
    q' = sum_{k >= B} P(K = k) q B / (k + 1) / P(K >= B) = B P(Binomial(n, q) > B) / (n P(K >= B)),
and each two of U, V, and V with the record's replacement or null are coupled at distance at most 2 C. Hence, for
P = (1 - q') U + q' V:
    add-remove              (P, U): P - g U = q' (V - g' U): (1 - q') N(0) + q' N(2) against N(0), each direction;
    zero-out, replace-one   (P, (1 - q') U + q' V'): the profile of ``without_replacement`` at rate q'.
The Renyi moment is jointly convex, so that of the step is at most
    P(K < B) A_poisson(q, multiplier) + P(K >= B) A_cut(q', multiplier),
with A_cut the profile's, which is above the add-remove pair's in both directions and serves all relations.

G1. Under add-remove the larger of the values for n and n + 1 records counts: a neighbour may have one more.
G2. P(K >= B) and q' are raised by 1e-6 relative, against the binomial tails' own error.
G3. ``lower_pairs``: the others contribute nothing; the record takes part with probability
    q P(K < B) + q' P(K >= B), lowered by 1e-6.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import bdtr, bdtrc

from refdp.accounting import _upper
from refdp.accounting._half_line import symmetric_moment
from refdp.accounting.kernels.poisson import Poisson
from refdp.accounting.kernels.poisson_replace import PoissonReplace
from refdp.accounting.kernels.without_replacement import WithoutReplacement
from refdp.accounting.neighboring import ADD_REMOVE, REPLACE_ONE
from refdp.accounting.pairs import Pair

_ROOM = 1e-6


@dataclass(frozen=True)
class TruncatedPoisson:
    """One Poisson step of ``rate`` in (0, 1) on ``records`` records, at most ``cap`` of them (1 <= cap < records)."""

    rate: float
    records: int
    cap: int
    relation: str
    attained: bool = True
    sampled = True
    distance = 2.0

    @property
    def name(self) -> str:
        return f"truncated poisson under {self.relation}, rate {self.rate:.6g}, at most {self.cap} of {self.records}"

    def cut(self, records: int) -> tuple[float, float]:
        """P(K >= B) and q' for a data set of that many records."""
        crowded = float(bdtrc(self.cap - 1, records - 1, self.rate))
        if crowded == 0:
            return 0.0, self.rate
        drawn = self.cap / records * float(bdtrc(self.cap, records, self.rate)) / crowded
        return crowded, min(drawn, self.rate)

    @property
    def chance(self) -> float:
        """That the record takes part."""
        return self.rate

    def rdp(self, multipliers: np.ndarray, order: float) -> np.ndarray:
        """Upper RDP, float64 [M]; the unsampled value where unresolved."""
        sigma = np.asarray(multipliers, dtype=np.float64)
        sizes = (self.records, self.records + 1) if self.relation == ADD_REMOVE else (self.records,)
        unsampled = _upper.unsampled_rdp(self.distance, sigma, order)
        found = []
        for records in sizes:
            excess = partial(self._log_excess, order=order, records=records)
            found.append(_upper.upper_rdp(excess, sigma, order, unsampled, self.name))
        value: np.ndarray = np.max(found, axis=0)
        return value

    def _log_excess(self, sigma: np.ndarray, order: float, records: int) -> np.ndarray | None:
        crowded, drawn = self.cut(records)
        crowded = min(crowded * (1 + _ROOM) + 1e-300, 1.0)
        drawn = min(drawn * (1 + _ROOM), self.rate)
        cut = WithoutReplacement(drawn).log_excess(sigma, order) if drawn < 1 else None
        whole = self._whole(sigma, order)
        if cut is None or whole is None:
            return None
        free = min(float(bdtr(self.cap - 1, records - 1, self.rate)) * (1 + _ROOM) + 1e-300, 1.0)
        value: np.ndarray = np.logaddexp(cut + np.log(crowded), whole + np.log(free)) + 1e-14
        return value

    def _whole(self, sigma: np.ndarray, order: float) -> np.ndarray | None:
        """log(moment - 1) of the step that is never cut."""
        if self.relation == REPLACE_ONE:
            q = max(self.rate, _upper.MIN_RATE)
            return _upper.raised(symmetric_moment(q, sigma, order, mirrored=True))
        grown = Poisson(self.rate).rdp(sigma, order) * (order - 1) * (1 + 1e-15)
        with np.errstate(divide="ignore"):
            value: np.ndarray = grown + np.log(-np.expm1(-grown)) + 1e-15 * (4 + grown)
        return value

    def upper_pairs(self) -> None:
        """A mixture of two kinds of pairs: none of Gaussian mixtures."""
        return

    def lower_pairs(self) -> tuple[Pair, Pair] | None:
        crowded, drawn = self.cut(self.records)
        seen = (self.rate * float(bdtr(self.cap - 1, self.records - 1, self.rate)) + drawn * crowded) * (
            1 - _ROOM
        )
        if not self.attained or not seen > 0:
            return None
        kernel = PoissonReplace(seen) if self.relation == REPLACE_ONE else Poisson(seen)
        return kernel.lower_pairs()

    def unsampled_mu(self, multiplier: float) -> float:
        """With everybody's coins shown, at worst two Gaussians at distance 2."""
        return self.distance / multiplier
