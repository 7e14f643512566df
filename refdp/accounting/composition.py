"""A ledger sorted by how it is accounted: its exact Gaussian part, and its sampled steps by kind.

G1. ``mu_squared`` is attained by real neighbours; ``mu_squared_upper`` dominates every unsampled step, attained or
    not; ``mu_squared_unsampled`` dominates the whole ledger as if nothing had been sampled.
G2. ``exposure(upper=True)`` dominates the ledger; ``exposure(upper=False)`` is dominated by it (steps without an
    attained pair are left out, which is post-processing). None where a step has no such pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from refdp.accounting import lower
from refdp.accounting.bins import regrouped
from refdp.accounting.errors import AccountingError
from refdp.accounting.gaussian import gaussian_epsilon
from refdp.accounting.kernels import Kernel, Poisson
from refdp.accounting.ledger import Ledger
from refdp.accounting.rdp_gaussian import rdp_gaussian
from refdp.accounting.tight import Exposure
from refdp.accounting.tilt import Part

WIDEN = 32 * 2.0**-52
COARSE = 48  # distinct multipliers above which orders are looked for on binned ones
_LEAST_NOISE, _MOST_NOISE = 1e-3, 1e9  # of the tight bound: beyond, it has no nodes or no range
DISTINCT = 8192  # distinct multipliers above which neighbours are grouped, rounded down


@dataclass(frozen=True)
class Composition:
    """A ledger sorted by how it is accounted."""

    mu_squared: float
    mu_squared_upper: float
    mu_squared_unsampled: float
    sampled: dict[Kernel, tuple[np.ndarray, np.ndarray]]  # kind -> ascending distinct multipliers, counts
    unattained: tuple[str, ...]  # kinds of steps that no lower bound covers

    @classmethod
    def of(cls, ledger: Ledger) -> Composition:
        if not isinstance(ledger, Ledger):
            raise AccountingError(
                f"ledger = {ledger!r}: must be a Ledger (Ledger.from_json reads a document)"
            )
        groups: dict[Kernel, list[tuple[np.ndarray, np.ndarray]]] = {}
        for kernel, values, counts in ledger.charges():
            groups.setdefault(kernel, []).append((values, counts))
        attained, upper_only, whole = [], [], []
        sampled, unattained = {}, []
        for kernel, parts in groups.items():
            values, index = np.unique(np.concatenate([p[0] for p in parts]), return_inverse=True)
            counts = np.bincount(index, np.concatenate([p[1] for p in parts]))
            with np.errstate(divide="ignore", over="ignore"):
                cost = float(np.sum(counts * (kernel.distance / values) ** 2))
            whole.append(cost)
            if kernel.sampled:
                sampled[kernel] = (values, counts)
                if not kernel.attained:
                    unattained.append(kernel.name)
            elif kernel.attained:
                attained.append(min(cost, 1e300) if values[0] > 0 else cost)
                upper_only.append(cost)
            else:
                upper_only.append(cost)
                unattained.append(kernel.name)
        certain, upper, every = _total(attained), _total(upper_only), _total(whole)
        if upper_only:  # where squares underflow: outward
            certain, upper = certain if certain > 1e-290 else 0.0, max(upper, 1e-290)
        return cls(certain, upper, max(every, 1e-290) if whole else 0.0, sampled, tuple(unattained))

    def is_empty(self) -> bool:
        """Whether nothing at all was released."""
        return self.mu_squared_upper == 0 and not self.sampled

    def noiseless(self) -> bool:
        """Whether some sampled step was released without noise."""
        return any(values[0] == 0 for values, _ in self.sampled.values())

    def rdp(self, order: float, *, coarse: bool = False) -> float:
        """Upper RDP of the whole at one order; ``coarse`` bins the multipliers (only to look for an order)."""
        total = float(rdp_gaussian(self.mu_squared_upper, np.array([order]))[0])
        for kernel, (values, counts) in self.sampled.items():
            if values[0] == 0:
                return math.inf
            values, counts = regrouped(values, counts, *((COARSE, "mean") if coarse else (DISTINCT, "down")))
            total += float(np.sum(counts * kernel.rdp(values, order)))
        return total * (1 + WIDEN)

    def saturation(self) -> float:
        """Upper value of delta at every epsilon >= 0: the chance that any step depends on the record at all."""
        if self.mu_squared_upper > 0 or self.noiseless():
            return 1.0
        none = 0.0
        for kernel, (_, counts) in self.sampled.items():
            if kernel.chance >= 1:
                return 1.0
            none += float(counts.sum()) * math.log1p(-kernel.chance)
        return min(1.0, -math.expm1(none) * (1 + 1e-12))

    def exposure(self, *, upper: bool) -> Exposure | None:
        """The pairs of every sampled step; None where the bound asked for has no pair for one of them."""
        remove, add = [], []
        for kernel, (values, counts) in self.sampled.items():
            noisy = values > 0
            if upper and not noisy.all():
                return None
            if upper and values[0] < _LEAST_NOISE:
                return None
            if upper:
                values = np.minimum(values, _MOST_NOISE)  # less noise is an upper bound
            else:  # more noise, and leaving steps out, are lower ones
                noisy &= values <= _MOST_NOISE
                values = np.maximum(values, _LEAST_NOISE)
            pairs = kernel.upper_pairs() if upper else kernel.lower_pairs()
            if pairs is None:
                if upper:
                    return None
                continue
            if noisy.any():
                remove.append(Part(pairs[0].oriented(), values[noisy], counts[noisy]))
                add.append(Part(pairs[1].oriented(), values[noisy], counts[noisy]))
        squared = self.mu_squared_upper * (1 + WIDEN) if upper else self.mu_squared * (1 - WIDEN)
        if not squared < 1e200:
            return None
        return Exposure(tuple(remove), tuple(add), squared)

    def same_exposures(self) -> bool:
        """Whether every step's dominating pair is attained, so that one exposure serves both bounds."""
        return not self.unattained and all(
            kernel.upper_pairs() == kernel.lower_pairs()
            and _LEAST_NOISE <= values[0] <= values[-1] <= _MOST_NOISE
            for kernel, (values, _) in self.sampled.items()
        )

    def test_lower(self, delta: float) -> float:
        """Greatest lower bound on epsilon known without the tight engine: Gaussian, threshold test, no noise."""
        best = gaussian_epsilon(math.sqrt(self.mu_squared) * (1 - WIDEN), delta)[0]
        for kernel, (values, counts) in self.sampled.items():
            if not (isinstance(kernel, Poisson) and kernel.attained):
                continue
            if values[0] == 0:
                best = max(best, lower.no_noise_epsilon_lower(kernel.rate, float(counts[0]), delta))
            noisy = values > 0
            if math.isfinite(best) and noisy.any():
                best = max(
                    best, lower.poisson_epsilon_lower(kernel.rate, values[noisy], counts[noisy], delta)
                )
        return best


def _total(parts: list[float]) -> float:
    try:
        return math.fsum(parts)
    except OverflowError:
        return math.inf
