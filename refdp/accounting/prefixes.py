"""Epsilon after each prefix of a ledger: what had been spent when training stood at a step.

G1. ``prefix(ledger, k)`` releases the first k counts of the ledger's events, in order, and nothing else.
G2. Each pair of bounds encloses its prefix's epsilon; upper bounds of longer prefixes are made never smaller, which is
    sound: what was released stays released.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from refdp.accounting import _checks
from refdp.accounting.accountant import epsilon
from refdp.accounting.errors import AccountingError
from refdp.accounting.ledger import Ledger


def prefix(ledger: Ledger, steps: int) -> Ledger:
    """The ledger of the first ``steps`` counts (a count of a shuffled event is all its epochs)."""
    left = _checks.whole("steps", steps)
    taken = []
    for event in ledger.events:
        if left == 0:
            break
        taken.append(dataclasses.replace(event, count=min(event.count, left)))
        left -= taken[-1].count
    return Ledger(ledger.neighboring, tuple(taken), ledger.group_size)


def epsilon_after(
    ledger: Ledger, delta: float, steps: Sequence[int], accountant: str = "all"
) -> tuple[np.ndarray, np.ndarray]:
    """(lower, upper) of epsilon at delta after each number of steps, float64 [len(steps)]; NaN where unknown.

    Raises:
        AccountingError: as ``epsilon`` does; ``steps`` not whole or not ascending.
    """
    counts = [_checks.whole("steps", step) for step in steps]
    if any(later < earlier for earlier, later in pairwise(counts)):
        raise AccountingError(f"steps = {list(steps)!r}: must be ascending")
    found = [epsilon(prefix(ledger, count), delta, accountant) for count in counts]
    lower = np.array([np.nan if f.lower is None else f.lower for f in found], dtype=np.float64)
    upper = np.array([np.nan if f.upper is None else f.upper for f in found], dtype=np.float64)
    return lower, np.maximum.accumulate(upper) if len(upper) else upper
