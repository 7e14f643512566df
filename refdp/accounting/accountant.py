"""Epsilon at delta, and delta at epsilon, of a ledger: both sides, with the parts they come from.

Upper bounds: Renyi composition (additive over steps, Mironov 2017 Proposition 1) with the best order and the
Balle et al. 2020 conversion; the exact Gaussian curve where nothing was subsampled; and for Poisson steps that
curve as if nothing were, since a sampled step is post-processing of an unsampled one (keep the output with
probability q, else draw a fresh one without the record). Lower bounds: the exact Gaussian, and a threshold test
against the Poisson steps. ``upper`` is the least valid upper bound and ``lower`` the greatest valid lower bound;
None where none is known, with the reason in ``notes``.

G1. lower <= true epsilon <= upper, for every ledger that is not refused.
G2. steps = 0, rate 0 and an empty ledger cost exactly 0; noise multiplier 0 costs inf.
G3. Shuffled and fixed-order batches get no amplification: E epochs are E unsampled Gaussian steps (for shuffle
    by joint convexity over permutations).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from refdp.accounting import _checks, conversion
from refdp.accounting.composition import COARSE, WIDEN, Composition
from refdp.accounting.errors import AccountingError
from refdp.accounting.gaussian import gaussian_delta, gaussian_epsilon
from refdp.accounting.ledger import Ledger
from refdp.accounting.orders import minimise_over_orders

ACCOUNTANTS = ("all", "rdp", "gaussian")
UNSAMPLED = (
    "upper: the exact Gaussian without sampling, smaller here than RDP's bound with it (post-processing)"
)


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
    gaussian: dict[str, float | None] | None = None
    notes: tuple[str, ...] = field(default=())


def _select(accountant: str, ledger: Ledger, whole: Composition) -> list[str]:
    """Which accountants to run; asking for one that does not apply is refused."""
    _checks.option("accountant", accountant, ACCOUNTANTS)
    if accountant == "gaussian" and whole.poisson:
        raise AccountingError(
            "accountant = 'gaussian': exact only without subsampling, and this ledger holds Poisson-sampled "
            "steps; use rdp or all"
        )
    if accountant != "all":
        return [accountant]
    return ["rdp", "unsampled"] if whole.poisson else ["rdp", "gaussian"]


def _best_order(whole: Composition, cost: Any) -> tuple[float, float]:
    """(least value of cost(order, rdp), its order): located on binned multipliers, evaluated on all."""
    start = minimise_over_orders(lambda order: cost(order, whole.rdp(order, coarse=True)))
    if all(len(values) <= COARSE for values, _ in whole.poisson.values()):
        return start.value, start.order
    return cost(start.order, whole.rdp(start.order)), start.order


def _rdp_part(whole: Composition, delta: float) -> dict[str, Any]:
    value, order = _best_order(whole, lambda a, r: conversion.epsilon_from_rdp(a, r, delta))
    if math.isnan(value):
        raise AccountingError("the RDP evaluation failed (NaN); please report this ledger")
    # (negative, delta)-DP implies (0, delta)-DP: 0 is then the bound, not a clamped failure
    upper = 0.0 if value < 0 or whole.is_empty() else value
    return {"upper": upper, "order": order, "conversion": conversion.NAME}


def _gaussian_upper(mu_squared: float, delta: float) -> float:
    return gaussian_epsilon(math.sqrt(mu_squared) * (1 + WIDEN), delta)[1]


def epsilon_upper(ledger: Ledger, delta: float, accountant: str = "all") -> float:
    """The upper end of ``epsilon(ledger, delta, accountant)`` alone, at less cost."""
    _checks.open_unit("delta", delta)
    whole = Composition.of(ledger)
    chosen = _select(accountant, ledger, whole)
    uppers = [_rdp_part(whole, delta)["upper"]] if "rdp" in chosen else []
    if "gaussian" in chosen:
        uppers.append(_gaussian_upper(whole.mu_squared_upper, delta))
    if "unsampled" in chosen:
        uppers.append(_gaussian_upper(whole.mu_squared_unsampled, delta))
    return min(uppers)


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
    whole = Composition.of(ledger)
    chosen = _select(accountant, ledger, whole)
    rdp_part = _rdp_part(whole, delta) if "rdp" in chosen else None
    gauss_part, notes, uppers = None, [], []
    if rdp_part is not None:
        uppers.append(rdp_part["upper"])
        if rdp_part["upper"] == math.inf:
            notes.append("rdp: infinite at every order (a step without noise, or with far too little)")
    if "gaussian" in chosen:
        low = gaussian_epsilon(math.sqrt(whole.mu_squared) * (1 - WIDEN), delta)[0]
        gauss_part = {
            "lower": None if _no_lower(ledger) else low,
            "upper": _gaussian_upper(whole.mu_squared_upper, delta),
        }
        uppers.append(gauss_part["upper"])
    if "unsampled" in chosen:
        uppers.append(_gaussian_upper(whole.mu_squared_unsampled, delta))
        if uppers[-1] < uppers[0]:
            notes.append(UNSAMPLED)
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
    whole = Composition.of(ledger)
    chosen = _select(accountant, ledger, whole)
    rdp_part, gauss_part, uppers = None, None, [1.0]
    if "rdp" in chosen:
        value, order = _best_order(whole, lambda a, r: conversion.log_delta_from_rdp(a, r, epsilon))
        upper = 0.0 if whole.is_empty() else math.exp(min(value, 0.0)) * (1 + 1e-15 * (2 + abs(value)))
        upper = upper if whole.is_empty() else max(upper, 5e-324)  # an underflow is no proof of zero
        rdp_part = {"upper": min(upper, 1.0), "order": order, "conversion": conversion.NAME}
        uppers.append(upper)
    low_bound = None
    notes = _lower_notes(ledger)
    if "unsampled" in chosen:
        uppers.append(gaussian_delta(math.sqrt(whole.mu_squared_unsampled) * (1 + WIDEN), epsilon)[1])
        if uppers[-1] < min(uppers[:-1]):
            notes.append(UNSAMPLED)
    if "gaussian" in chosen:
        high = gaussian_delta(math.sqrt(whole.mu_squared_upper) * (1 + WIDEN), epsilon)[1]
        low = gaussian_delta(math.sqrt(whole.mu_squared) * (1 - WIDEN), epsilon)[0]
        gauss_part = {"lower": None if _no_lower(ledger) else low, "upper": high}
        uppers.append(high)
        low_bound = None if _no_lower(ledger) else low
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
