"""A peer's one-step Renyi divergences against refdp's, order by order.

refdp's values are rigorous upper values within 1e-9 relative of the truth (``rdp_poisson``), so that a value below
them by more than that is below the truth: no upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from refdp.accounting import rdp_poisson_gaussian

ROUNDING = 1e-9  # relative; what refdp's own value may exceed the truth by
_LEAST = 1e-6  # relative; smaller shortfalls are the last digits of a sum
_ABOVE = 1e-3


@dataclass(frozen=True)
class Cell:
    """One step's RDP at one order: theirs, and the truth's upper value."""

    rate: float
    noise_multiplier: float
    order: float
    theirs: float
    truth: float

    def to_json(self) -> dict[str, float]:
        """An entry of the report."""
        return dict(vars(self))

    def text(self) -> str:
        """In words."""
        digits = 9 if math.isclose(self.theirs, self.truth, rel_tol=1e-2) else 3
        return (
            f"RDP {self.theirs:.{digits}g} at order {self.order:g}, rate {self.rate:g}, multiplier "
            f"{self.noise_multiplier:g}, where {self.truth:.{digits}g} is true"
        )


@dataclass(frozen=True)
class Cells:
    """How a peer's cells compare.

    Attributes:
        checked: how many.
        below: those below the truth by more than rounding, worst first.
        above: those above it by more than 0.1 percent (valid, but loose), worst first.
    """

    checked: int
    below: tuple[Cell, ...]
    above: tuple[Cell, ...]

    def to_json(self) -> dict[str, Any]:
        """The report's summary, with the worst ones."""
        return {
            "checked": self.checked,
            "below": len(self.below),
            "above": len(self.above),
            "worst_below": [cell.to_json() for cell in self.below[:5]],
            "worst_above": [cell.to_json() for cell in self.above[:5]],
        }


def compare(orders: Sequence[float], rows: Sequence[dict[str, Any]]) -> Cells:
    """Compare every cell of an answer's "cells"; add-remove and zero-out, whichever relation was asked about."""
    below, above, checked = [], [], 0
    usable = [(i, float(a)) for i, a in enumerate(orders) if 1 < a < math.inf]
    for row in rows:
        truths = rdp_poisson_gaussian(row["rate"], row["noise_multiplier"], [a for _, a in usable])
        for (i, order), truth in zip(usable, truths, strict=True):
            theirs, true = float(row["rdp"][i]), float(truth)
            if math.isnan(theirs):
                continue
            checked += 1
            cell = Cell(row["rate"], row["noise_multiplier"], order, theirs, true)
            if theirs < true * (1 - _LEAST - ROUNDING):
                below.append(cell)
            elif theirs > true * (1 + _ABOVE):
                above.append(cell)
    below.sort(key=lambda c: c.theirs / c.truth)
    above.sort(key=lambda c: -c.theirs / c.truth if c.truth > 0 else -math.inf)
    return Cells(checked, tuple(below), tuple(above))
