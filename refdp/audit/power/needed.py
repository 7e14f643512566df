"""How many canaries before a claim can be refuted at all."""

from __future__ import annotations

from dataclasses import replace

from refdp.audit.estimators import Design
from refdp.audit.power.experiment import Sizes
from refdp.audit.power.measure import quick

MOST = 10**6


def canaries_needed(estimator: str, sizes: Sizes, design: Design, claim: float) -> int | None:
    """The fewest canaries, found by halving, half of them planted, whose ceiling is above the claim.

    References and runs stay as they are. None above a million, and where no number would do.
    """
    tool = quick(estimator)

    def enough(canaries: int) -> bool:
        half = replace(sizes, planted=canaries // 2, left_out=canaries - canaries // 2)
        ceiling = tool.estimate(half.perfect(), design).ceiling
        return ceiling is not None and ceiling > claim

    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
