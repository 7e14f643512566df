"""Which pairs of data sets must be hard to tell apart, and what one record can do to a clipped sum.

The noise multiplier is always the noise's standard deviation on the sum divided by C, the bound on ONE
record's contribution. Under ``replace-one`` the sum moves by up to 2C, so the same noise hides half as much.
"""

from __future__ import annotations

NEIGHBORING = ("add-remove", "zero-out", "replace-one")

ADD_REMOVE, ZERO_OUT, REPLACE_ONE = NEIGHBORING


def sensitivity_factor(neighboring: str) -> float:
    """Sensitivity of the clipped sum, in units of C: 1 (add-remove, zero-out) or 2 (replace-one)."""
    return 2.0 if neighboring == REPLACE_ONE else 1.0


ILL_POSED = {"shuffle": ZERO_OUT, "fixed-order": ZERO_OUT, "without-replacement": REPLACE_ONE}
"""Schemes under which removing a record shifts or refills other batches, and the relation to take instead."""
