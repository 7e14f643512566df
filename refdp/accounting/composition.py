"""A ledger sorted by how it is accounted, and its RDP at an order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from refdp.accounting import lower
from refdp.accounting.errors import AccountingError
from refdp.accounting.gaussian import gaussian_epsilon
from refdp.accounting.ledger import Ledger
from refdp.accounting.neighboring import sensitivity_factor
from refdp.accounting.rdp_gaussian import rdp_gaussian
from refdp.accounting.rdp_poisson import rdp_values

WIDEN = 32 * 2.0**-52
COARSE = 48  # distinct multipliers above which orders are looked for on binned ones
DISTINCT = 8192  # distinct multipliers above which neighbours are grouped, rounded down


@dataclass(frozen=True)
class Composition:
    """A ledger sorted by how it is accounted."""

    mu_squared: float  # exact Gaussian part, both sides
    mu_squared_upper: float  # plus the shuffled part, upper side only
    mu_squared_unsampled: float  # plus the Poisson part as if nothing were sampled, upper side only
    poisson: dict[float, tuple[np.ndarray, np.ndarray]]  # rate -> distinct multipliers, counts

    @classmethod
    def of(cls, ledger: Ledger) -> Composition:
        exact: list[float] = []
        exact_lower: list[float] = []
        shuffled: list[float] = []
        groups: dict[float, list[tuple[np.ndarray, np.ndarray]]] = {}
        if not isinstance(ledger, Ledger):
            raise AccountingError(
                f"ledger = {ledger!r}: must be a Ledger (Ledger.from_json reads a document)"
            )
        factor = sensitivity_factor(ledger.neighboring) ** 2
        for event in ledger.events:
            if event.is_no_op():
                continue
            values, counts = event.multipliers()
            rate = event.sampling.rate
            if event.sampling.scheme == "poisson" and rate != 1:
                groups.setdefault(float(rate or 0.0), []).append((values, counts))
                continue
            with np.errstate(divide="ignore", over="ignore"):
                cost = float(np.sum(counts * factor / values**2))
            if event.sampling.scheme == "shuffle":
                shuffled.append(cost)
            else:
                exact.append(cost)
                exact_lower.append(min(cost, 1e300) if values[0] > 0 else cost)
        merged, unsampled = {}, []
        for rate, parts in groups.items():
            values, index = np.unique(np.concatenate([p[0] for p in parts]), return_inverse=True)
            merged[rate] = (values, np.bincount(index, np.concatenate([p[1] for p in parts])))
            with np.errstate(divide="ignore", over="ignore"):
                unsampled.append(float(np.sum(merged[rate][1] / values**2)))
        certain, whole = _total(exact_lower), _total(exact + shuffled)
        if exact or shuffled:  # where squares underflow: outward
            certain, whole = certain if certain > 1e-290 else 0.0, max(whole, 1e-290)
        return cls(certain, whole, whole + max(_total(unsampled), 1e-290) if merged else whole, merged)

    def is_empty(self) -> bool:
        """Whether nothing at all was released."""
        return self.mu_squared_upper == 0 and not self.poisson

    def rdp(self, order: float, *, coarse: bool = False) -> float:
        """Upper RDP of the whole at one order; ``coarse`` bins the multipliers (only to look for an order)."""
        total = float(rdp_gaussian(self.mu_squared_upper, np.array([order]))[0])
        for rate, (values, counts) in self.poisson.items():
            if values[0] == 0:
                return math.inf
            if coarse and len(values) > COARSE:
                values, counts = _binned(values, counts)
            elif len(values) > DISTINCT:
                values, counts = _rounded_down(values, counts)
            total += float(np.sum(counts * rdp_values(rate, values, order)))
        return total * (1 + WIDEN)

    def lower(self, delta: float) -> float:
        """Greatest lower bound on epsilon known for a part of the ledger."""
        best = gaussian_epsilon(math.sqrt(self.mu_squared) * (1 - WIDEN), delta)[0]
        for rate, (values, counts) in self.poisson.items():
            if values[0] == 0:
                best = max(best, lower.no_noise_epsilon_lower(rate, float(counts[0]), delta))
            noisy = values > 0
            if math.isfinite(best) and noisy.any():
                best = max(best, lower.poisson_epsilon_lower(rate, values[noisy], counts[noisy], delta))
        return best


def _total(parts: list[float]) -> float:
    try:
        return math.fsum(parts)
    except OverflowError:
        return math.inf


def _groups(values: np.ndarray, bins: int) -> np.ndarray:
    """First index of each group of ascending multipliers that lie within one of ``bins`` equal steps of the log."""
    position = np.log(values / values[0]) / max(math.log(values[-1] / values[0]), 1e-300)
    group = np.minimum((position * bins).astype(np.int64), bins - 1)
    return np.flatnonzero(np.diff(group, prepend=-1))


def _binned(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """About as many steps at the same mean of 1 / multiplier^2, group by group: close, but no bound."""
    starts = _groups(values, COARSE)
    totals = np.add.reduceat(counts, starts)
    return np.sqrt(totals / np.add.reduceat(counts / values**2, starts)), totals


def _rounded_down(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most DISTINCT multipliers: each is lowered to the least of its group, which only raises the RDP."""
    starts = _groups(values, DISTINCT)
    return values[starts], np.add.reduceat(counts, starts)
