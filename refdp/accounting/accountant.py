"""Epsilon at delta, and delta at epsilon, of a ledger: both sides, with the parts they come from.

pld       the privacy loss distribution's exact tail, enclosed (inversion.py): tight, both sides
rdp       Renyi composition (additive, Mironov 2017 Proposition 1) at the best order, by a named conversion: upper
gaussian  the exact curve of Balle and Wang 2018 where nothing was subsampled: both sides
and, for sampled steps, that curve as if nothing had been: a sampled step is post-processing of an unsampled one.
``upper`` is the least valid upper bound and ``lower`` the greatest valid lower bound; None where none is known.

G1. lower <= true epsilon <= upper, for every ledger that is not refused.
G2. steps = 0, rate 0 and an empty ledger cost exactly 0; noise multiplier 0 costs inf.
G3. Shuffled and fixed-order batches get no amplification: E epochs are E unsampled Gaussian steps (for shuffle
    by joint convexity over permutations).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from refdp.accounting import _checks, tight
from refdp.accounting.composition import COARSE, WIDEN, Composition
from refdp.accounting.conversions import CONVERSIONS
from refdp.accounting.errors import AccountingError
from refdp.accounting.gaussian import gaussian_delta, gaussian_epsilon
from refdp.accounting.ledger import Ledger
from refdp.accounting.orders import minimise_over_orders

ACCOUNTANTS = ("all", "rdp", "pld", "gaussian")
CONVERSION = "balle2020"
UNSAMPLED = (
    "upper: the exact Gaussian without sampling, smaller here than the other bounds with it (post-processing)"
)
SELDOM = "upper: the chance that any step takes the record at all, smaller here than the other bounds"


@dataclass(frozen=True)
class Bounds:
    """Result of one accountant, or of the best of them.

    Attributes:
        quantity: "epsilon" or "delta".
        lower, upper: the enclosure, or None where no bound is known.
        at: the delta (or epsilon) asked about.
        rdp: {"upper", "order", "conversion"} or None.
        pld: {"lower", "upper"} of the tight bound, or None where it was not asked for or does not apply.
        gaussian: {"lower", "upper"} of the exact Gaussian, or None where it does not apply.
        notes: what could not be bounded, and why.
    """

    quantity: str
    lower: float | None
    upper: float | None
    at: float
    neighboring: str
    rdp: dict[str, Any] | None = None
    pld: dict[str, float | None] | None = None
    gaussian: dict[str, float | None] | None = None
    notes: tuple[str, ...] = field(default=())


def epsilon(
    ledger: Ledger,
    delta: float,
    accountant: str = "all",
    *,
    conversion: str = CONVERSION,
    exact: bool = False,
) -> Bounds:
    """Enclosure of the least epsilon for which the ledger's release is (epsilon, delta)-DP.

    Args:
        ledger: what was released.
        delta: in (0, 1).
        accountant: "all", "rdp", "pld" or "gaussian" (exact; refused for subsampled steps).
        conversion: of Renyi DP, one of ``conversions.CONVERSIONS``.
        exact: compute every distinct noise multiplier, where by default thousands are grouped (outward).

    Raises:
        AccountingError: delta outside (0, 1), or an accountant that does not apply.
    """
    _checks.open_unit("delta", delta)
    return _Question(ledger, accountant, conversion, exact).answer("epsilon", delta)


def delta(
    ledger: Ledger,
    epsilon: float,
    accountant: str = "all",
    *,
    conversion: str = CONVERSION,
    exact: bool = False,
) -> Bounds:
    """Enclosure of the least delta for which the ledger's release is (epsilon, delta)-DP.

    Args:
        epsilon: finite and >= 0. The others as in ``epsilon``.
    """
    _checks.non_negative("epsilon", epsilon)
    return _Question(ledger, accountant, conversion, exact).answer("delta", epsilon)


def epsilon_upper(
    ledger: Ledger, delta: float, accountant: str = "all", *, bins: int | None = tight.BINS
) -> float:
    """An upper bound on epsilon at less cost: the tight one alone where it is resolved.

    ``bins``: distinct multipliers computed, of the tight bound (grouped outward).
    """
    _checks.open_unit("delta", delta)
    question = _Question(ledger, accountant, CONVERSION, False)
    return question.upper_epsilon(delta, bins)


class _Question:
    """A ledger and what is wanted of it."""

    def __init__(self, ledger: Ledger, accountant: str, conversion: str, exact: bool) -> None:
        self.whole = Composition.of(ledger)
        self.ledger, self.accountant, self.exact = ledger, accountant, exact
        _checks.option("accountant", accountant, ACCOUNTANTS)
        _checks.option("conversion", conversion, tuple(sorted(CONVERSIONS)))
        if accountant == "gaussian" and self.whole.sampled:
            raise AccountingError(
                "accountant = 'gaussian': exact only without subsampling, and this ledger holds sampled "
                f"steps ({next(iter(self.whole.sampled)).name}); use rdp, pld or all"
            )
        self.conversion = CONVERSIONS[conversion]
        self.notes: list[str] = []

    def runs(self, name: str) -> bool:
        """Whether this accountant is asked for and says something here."""
        if self.accountant != "all":
            return self.accountant == name
        return name == "rdp" or name == ("pld" if self.whole.sampled else "gaussian")

    def answer(self, quantity: str, at: float) -> Bounds:
        rdp = self._rdp(quantity, at) if self.runs("rdp") else None
        pld = self._pld(quantity, at) if self.runs("pld") else None
        gauss = self._gaussian(quantity, at) if self.runs("gaussian") else None
        uppers = [part["upper"] for part in (rdp, pld, gauss) if part and part["upper"] is not None]
        if quantity == "delta":
            uppers.append(1.0)
        if self.accountant == "all" and self.whole.sampled:
            for value, note in (
                (self._unsampled(quantity, at), UNSAMPLED),
                (self._seldom(quantity, at), SELDOM),
            ):
                if value < min(uppers, default=math.inf) * (1 - 1e-9):
                    self.notes.append(note)
                uppers.append(value)
        lowers = [part["lower"] for part in (pld, gauss) if part and part["lower"] is not None]
        if (
            quantity == "epsilon"
            and self.runs("pld")
            and self._has_lower()
            and not (lowers and lowers[0] > 0)
        ):
            lowers.append(self.whole.test_lower(at))
        if not self._has_lower():
            lowers = []
        elif self.accountant != "rdp" or self.whole.is_empty():
            lowers.append(0.0)
        self._explain()
        upper, lower = min(uppers, default=None), max(lowers, default=None)
        if upper is not None and lower is not None and lower > upper:
            raise AccountingError(
                f"lower bound {lower!r} above upper bound {upper!r}: an error of refdp; please report this ledger"
            )
        return Bounds(quantity, lower, upper, at, self.ledger.neighboring, rdp, pld, gauss, tuple(self.notes))

    def upper_epsilon(self, at: float, bins: int | None) -> float:
        """The least upper bound of those asked for that is cheap to have."""
        if self.runs("gaussian"):
            return float(self._gaussian("epsilon", at)["upper"] or 0.0)
        if self.runs("pld"):
            exposure = self.whole.exposure(upper=True)
            found = tight.epsilon_bounds(exposure, exposure, at, bins).upper if exposure else None
            if found is not None:
                return min(found, self._seldom("epsilon", at), self._unsampled("epsilon", at))
        value = float(self._rdp("epsilon", at)["upper"])
        if self.accountant != "all":
            return value
        return min(value, self._seldom("epsilon", at), self._unsampled("epsilon", at))

    def _rdp(self, quantity: str, at: float) -> dict[str, Any]:
        whole = self.whole
        if quantity == "epsilon":
            value, order = self._best_order(lambda a, r: self.conversion.epsilon_from_rdp(a, r, at))
        else:
            value, order = self._best_order(lambda a, r: self.conversion.log_delta_from_rdp(a, r, at))
        if math.isnan(value):
            raise AccountingError("the RDP evaluation failed (NaN); please report this ledger")
        if quantity == "epsilon":
            # (negative, delta)-DP implies (0, delta)-DP: 0 is then the bound, not a clamped failure
            upper = 0.0 if value < 0 or whole.is_empty() else value
            if upper == math.inf:
                self.notes.append(
                    "rdp: infinite at every order (a step without noise, or with far too little)"
                )
        else:
            upper = math.exp(min(value, 0.0)) * (1 + 1e-15 * (2 + abs(value))) if value > -math.inf else 0.0
            upper = 0.0 if whole.is_empty() else min(max(upper, 5e-324), 1.0)  # underflow proves no zero
        return {"upper": upper, "order": order, "conversion": self.conversion.name}

    def _best_order(self, cost: Callable[[float, float], float]) -> tuple[float, float]:
        """(least value of cost(order, rdp), its order): located on binned multipliers, evaluated on all."""
        start = minimise_over_orders(lambda order: cost(order, self.whole.rdp(order, coarse=True)))
        if all(len(values) <= COARSE for values, _ in self.whole.sampled.values()):
            return start.value, start.order
        return cost(start.order, self.whole.rdp(start.order)), start.order

    def _pld(self, quantity: str, at: float) -> dict[str, float | None]:
        whole = self.whole
        if whole.is_empty():
            return {"lower": 0.0, "upper": 0.0}
        if quantity == "epsilon" and self._seldom(quantity, at) == 0:
            self.notes.append(SELDOM)
            return {"lower": 0.0, "upper": 0.0}
        bounds = tight.epsilon_bounds if quantity == "epsilon" else tight.delta_bounds
        bins = None if self.exact else tight.BINS
        upper = whole.exposure(upper=True)
        if upper is not None and whole.same_exposures():
            found = bounds(upper, upper, at, bins)
            if found.upper is None:
                self.notes.append("pld: no tight bound within the work allowed; the other bounds stand")
            return {"lower": found.lower, "upper": found.upper}
        high = bounds(upper, upper, at, bins).upper if upper is not None else None
        lower = whole.exposure(upper=False) if self._has_lower() else None
        low = bounds(lower, lower, at, bins).lower if lower is not None else None
        if upper is None:
            kinds = [k.name for k in whole.sampled if k.upper_pairs() is None]
            reason = (
                f"no dominating pair for {', '.join(kinds)}"
                if kinds
                else "a step without noise, or next to none"
            )
            self.notes.append(f"pld: no upper bound ({reason})")
        return {"lower": low, "upper": high}

    def _gaussian(self, quantity: str, at: float) -> dict[str, float | None]:
        curve = gaussian_epsilon if quantity == "epsilon" else gaussian_delta
        low = curve(math.sqrt(self.whole.mu_squared) * (1 - WIDEN), at)[0]
        high = curve(math.sqrt(self.whole.mu_squared_upper) * (1 + WIDEN), at)[1]
        return {"lower": low if self._has_lower() else None, "upper": high}

    def _unsampled(self, quantity: str, at: float) -> float:
        curve = gaussian_epsilon if quantity == "epsilon" else gaussian_delta
        return curve(math.sqrt(self.whole.mu_squared_unsampled) * (1 + WIDEN), at)[1]

    def _seldom(self, quantity: str, at: float) -> float:
        chance = self.whole.saturation()
        return chance if quantity == "delta" else (0.0 if chance <= at else math.inf)

    def _has_lower(self) -> bool:
        """Whether anything released is attained; a ledger of nothing else has no lower bound here."""
        whole = self.whole
        return not whole.unattained or whole.mu_squared > 0 or any(k.attained for k in whole.sampled)

    def _explain(self) -> None:
        schemes = {e.sampling.scheme for e in self.ledger.events if not e.is_no_op()}
        if "shuffle" in schemes:
            self.notes.append(
                "shuffle: no amplification claimed; no lower bound known for the shuffled steps"
            )
        for name in self.whole.unattained:
            if not (name.startswith("unsampled") and "shuffle" in schemes):
                self.notes.append(f"{name}: no lower bound known for these steps")
