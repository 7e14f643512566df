"""Epsilon at delta, and delta at epsilon, of a ledger: both sides, with the parts they come from.

Upper bounds: Renyi composition (additive over steps, Mironov 2017 Proposition 1) with the best order and the
Balle et al. 2020 conversion; the exact Gaussian curve where nothing was subsampled. Lower bounds: the exact
Gaussian, and a threshold test against the Poisson steps. ``upper`` is the least valid upper bound and
``lower`` the greatest valid lower bound; None where none is known, with the reason in ``notes``.

G1. lower <= true epsilon <= upper, for every ledger that is not refused.
G2. steps = 0, rate 0 and an empty ledger cost exactly 0; noise multiplier 0 costs inf.
G3. Shuffled and fixed-order batches get no amplification: E epochs are E unsampled Gaussian steps (for shuffle
    by joint convexity over permutations).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdp.accounting import _checks, conversion, lower
from refdp.accounting.errors import AccountingError
from refdp.accounting.gaussian import gaussian_delta, gaussian_epsilon
from refdp.accounting.ledger import Ledger
from refdp.accounting.neighboring import sensitivity_factor
from refdp.accounting.orders import minimise_over_orders
from refdp.accounting.rdp_gaussian import rdp_gaussian
from refdp.accounting.rdp_poisson import rdp_values

_WIDEN = 32 * 2.0**-52
ACCOUNTANTS = ("all", "rdp", "gaussian")


@dataclass(frozen=True)
class Bounds:
    """Result of one accountant, or of the best of them.

    Attributes:
        quantity: "epsilon" or "delta".
        lower, upper: the enclosure, or None where no bound is known.
        at: the delta (or epsilon) asked about.
        rdp: {"upper", "order", "conversion"} or None.
        gaussian: {"lower", "upper"} of the exact Gaussian, or None where it does not apply.
        notes: what could not be bounded, and why.
    """

    quantity: str
    lower: float | None
    upper: float | None
    at: float
    neighboring: str
    rdp: dict[str, Any] | None = None
    gaussian: dict[str, float] | None = None
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Composition:
    """A ledger sorted by how it is accounted."""

    mu_squared: float  # exact Gaussian part, both sides
    mu_squared_upper: float  # plus the shuffled part, upper side only
    poisson: dict[float, tuple[np.ndarray, np.ndarray]]  # rate -> distinct multipliers, counts

    @classmethod
    def of(cls, ledger: Ledger) -> _Composition:
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
        merged = {}
        for rate, parts in groups.items():
            values, index = np.unique(np.concatenate([p[0] for p in parts]), return_inverse=True)
            merged[rate] = (values, np.bincount(index, np.concatenate([p[1] for p in parts])))
        certain, whole = _total(exact_lower), _total(exact + shuffled)
        if exact or shuffled:  # where squares underflow: outward
            certain, whole = certain if certain > 1e-290 else 0.0, max(whole, 1e-290)
        return cls(certain, whole, merged)

    def is_empty(self) -> bool:
        """Whether nothing at all was released."""
        return self.mu_squared_upper == 0 and not self.poisson

    def rdp(self, order: float, *, coarse: bool = False) -> float:
        """Upper RDP of the whole at one order; ``coarse`` bins the multipliers (only to look for an order)."""
        total = float(rdp_gaussian(self.mu_squared_upper, np.array([order]))[0])
        for rate, (values, counts) in self.poisson.items():
            if coarse and len(values) > 48:
                values, counts = _binned(values, counts)
            total += float(np.sum(counts * rdp_values(rate, values, order)))
        return total * (1 + _WIDEN)

    def lower(self, delta: float) -> float:
        """Greatest lower bound on epsilon known for a part of the ledger."""
        best = gaussian_epsilon(math.sqrt(self.mu_squared) * (1 - _WIDEN), delta)[0]
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


def _binned(values: np.ndarray, counts: np.ndarray, bins: int = 32) -> tuple[np.ndarray, np.ndarray]:
    blocks = np.array_split(np.arange(len(values)), bins)
    totals = np.array([counts[b].sum() for b in blocks])
    return np.array([np.average(values[b], weights=counts[b]) for b in blocks]), totals


def _select(accountant: str, ledger: Ledger, whole: _Composition) -> list[str]:
    """Which accountants to run; asking for one that does not apply is refused."""
    _checks.option("accountant", accountant, ACCOUNTANTS)
    if accountant == "gaussian" and whole.poisson:
        raise AccountingError(
            "accountant = 'gaussian': exact only without subsampling, and this ledger holds Poisson-sampled "
            "steps; use rdp or all"
        )
    if accountant != "all":
        return [accountant]
    return ["rdp"] if whole.poisson else ["rdp", "gaussian"]


def _best_order(whole: _Composition, cost: Any) -> tuple[float, float]:
    """(least value of cost(order, rdp), its order): located on binned multipliers, evaluated on all."""
    start = minimise_over_orders(lambda order: cost(order, whole.rdp(order, coarse=True)))
    if all(len(values) <= 48 for values, _ in whole.poisson.values()):
        return start.value, start.order
    return cost(start.order, whole.rdp(start.order)), start.order


def _epsilon_uppers(
    whole: _Composition, chosen: list[str], delta: float
) -> tuple[dict[str, Any] | None, float | None]:
    """(RDP part, upper of the exact Gaussian) for the accountants chosen."""
    rdp_part, gauss_upper = None, None
    if "rdp" in chosen:
        value, order = _best_order(whole, lambda a, r: conversion.epsilon_from_rdp(a, r, delta))
        if math.isnan(value):
            raise AccountingError("the RDP evaluation failed (NaN); please report this ledger")
        # (negative, delta)-DP implies (0, delta)-DP: 0 is then the bound, not a clamped failure
        upper = 0.0 if value < 0 or whole.is_empty() else value
        rdp_part = {"upper": upper, "order": order, "conversion": conversion.NAME}
    if "gaussian" in chosen:
        gauss_upper = gaussian_epsilon(math.sqrt(whole.mu_squared_upper) * (1 + _WIDEN), delta)[1]
    return rdp_part, gauss_upper


def epsilon_upper(ledger: Ledger, delta: float, accountant: str = "all") -> float:
    """The upper end of ``epsilon(ledger, delta, accountant)`` alone, at less cost."""
    whole = _Composition.of(ledger)
    rdp_part, gauss_upper = _epsilon_uppers(whole, _select(accountant, ledger, whole), delta)
    uppers = [gauss_upper] if gauss_upper is not None else []
    return min([*uppers, rdp_part["upper"]] if rdp_part is not None else uppers)


def epsilon(ledger: Ledger, delta: float, accountant: str = "all") -> Bounds:
    """Enclosure of the least epsilon for which the ledger's release is (epsilon, delta)-DP.

    Args:
        ledger: what was released.
        delta: in (0, 1).
        accountant: "all", "rdp" or "gaussian" (exact; refused for subsampled steps).

    Raises:
        AccountingError: delta outside (0, 1), or an accountant that does not apply.
    """
    _checks.open_unit("delta", delta)
    whole = _Composition.of(ledger)
    chosen = _select(accountant, ledger, whole)
    rdp_part, gauss_upper = _epsilon_uppers(whole, chosen, delta)
    gauss_part, notes, uppers = None, [], []
    if rdp_part is not None:
        uppers.append(rdp_part["upper"])
        if rdp_part["upper"] == math.inf:
            notes.append("rdp: infinite at every order (a step without noise, or with far too little)")
    if gauss_upper is not None:
        low = gaussian_epsilon(math.sqrt(whole.mu_squared) * (1 - _WIDEN), delta)[0]
        gauss_part = {"lower": low, "upper": gauss_upper}
        uppers.append(gauss_upper)
    notes += _lower_notes(ledger)
    low_bound = None if _no_lower(ledger) else whole.lower(delta)
    return Bounds(
        "epsilon", low_bound, min(uppers), delta, ledger.neighboring, rdp_part, gauss_part, tuple(notes)
    )


def delta(ledger: Ledger, epsilon: float, accountant: str = "all") -> Bounds:
    """Enclosure of the least delta for which the ledger's release is (epsilon, delta)-DP.

    Args:
        epsilon: finite and >= 0.
    """
    _checks.non_negative("epsilon", epsilon)
    whole = _Composition.of(ledger)
    chosen = _select(accountant, ledger, whole)
    rdp_part, gauss_part, uppers = None, None, [1.0]
    if "rdp" in chosen:
        value, order = _best_order(whole, lambda a, r: conversion.log_delta_from_rdp(a, r, epsilon))
        upper = 0.0 if whole.is_empty() else math.exp(min(value, 0.0)) * (1 + 1e-15 * (2 + abs(value)))
        upper = upper if whole.is_empty() else max(upper, 5e-324)  # an underflow is no proof of zero
        rdp_part = {"upper": min(upper, 1.0), "order": order, "conversion": conversion.NAME}
        uppers.append(upper)
    low_bound = None
    if "gaussian" in chosen:
        high = gaussian_delta(math.sqrt(whole.mu_squared_upper) * (1 + _WIDEN), epsilon)[1]
        low = gaussian_delta(math.sqrt(whole.mu_squared) * (1 - _WIDEN), epsilon)[0]
        gauss_part = {"lower": low, "upper": high}
        uppers.append(high)
        low_bound = None if _no_lower(ledger) else low
    notes = list(_lower_notes(ledger))
    if whole.poisson:
        notes.append("delta: no lower bound for Poisson-sampled steps yet")
    return Bounds(
        "delta", low_bound, min(uppers), epsilon, ledger.neighboring, rdp_part, gauss_part, tuple(notes)
    )


def _no_lower(ledger: Ledger) -> bool:
    """A ledger of nothing but shuffled epochs has no lower bound here."""
    live = [event for event in ledger.events if not event.is_no_op()]
    return bool(live) and all(event.sampling.scheme == "shuffle" for event in live)


def _lower_notes(ledger: Ledger) -> list[str]:
    if any(e.sampling.scheme == "shuffle" and not e.is_no_op() for e in ledger.events):
        return ["shuffle: no amplification claimed; no lower bound known for the shuffled steps"]
    return []
