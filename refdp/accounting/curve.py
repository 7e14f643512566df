"""The whole privacy curve: delta at many epsilons, or epsilon at many deltas, from both sides.

G1. lower[i] <= the true value at asked[i] <= upper[i], also where ``bins`` groups a schedule's multipliers: it is
    then rounded down for the upper ends and up for the lower ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from refdp.accounting.accountant import CONVERSION, Bounds
from refdp.accounting.accountant import delta as delta_of
from refdp.accounting.accountant import epsilon as epsilon_of
from refdp.accounting.errors import AccountingError
from refdp.accounting.grouping import distinct, grouped
from refdp.accounting.ledger import Ledger


@dataclass(frozen=True)
class PrivacyCurve:
    """Float64 arrays of one length; NaN where a bound is not known.

    Attributes:
        quantity: what ``lower`` and ``upper`` bound: "delta" (at epsilons asked) or "epsilon" (at deltas asked).
        rdp: the upper bound that RDP alone gives.
    """

    quantity: str
    asked: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    rdp: np.ndarray


def privacy_curve(
    ledger: Ledger,
    *,
    epsilons: Iterable[float] | None = None,
    deltas: Iterable[float] | None = None,
    accountant: str = "all",
    conversion: str = CONVERSION,
    bins: int | None = None,
) -> PrivacyCurve:
    """Bounds on delta at each of ``epsilons``, or on epsilon at each of ``deltas``.

    ``bins``: compute about so many multipliers of a schedule, grouped outwards (a little looser, much faster).

    Raises:
        AccountingError: neither or both of ``epsilons`` and ``deltas``, or a value that the accountant refuses.
    """
    if (epsilons is None) == (deltas is None):
        raise AccountingError("privacy_curve: give either epsilons or deltas")
    ask, quantity = (delta_of, "delta") if deltas is None else (epsilon_of, "epsilon")
    asked = np.array(
        [*(epsilons if epsilons is not None else ()), *(deltas if deltas is not None else ())], np.float64
    )
    coarse = bins is not None and distinct(ledger) > bins
    high, low = (grouped(ledger, bins or 0, how) if coarse else ledger for how in ("down", "up"))

    def bounds(at: float) -> tuple[Bounds, Bounds]:
        upper = ask(high, at, accountant, conversion=conversion)
        return upper, ask(low, at, accountant, conversion=conversion) if coarse else upper

    pairs = [bounds(float(at)) for at in asked]
    return PrivacyCurve(
        quantity,
        asked,
        _array([down.lower for _, down in pairs]),
        _array([up.upper for up, _ in pairs]),
        _array([up.rdp["upper"] if up.rdp else None for up, _ in pairs]),
    )


def _array(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
