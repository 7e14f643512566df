"""An answer that hangs on the digits that were not printed."""

from __future__ import annotations

from collections.abc import Iterator

from refdp.audit.causes.base import Case, Cause
from refdp.figures import lower_figure, upper_figure

ORDER = 80


def find(case: Case) -> Iterator[Cause]:
    """Where rounded inputs, each widened by half its last digit, reach to both sides of the claim."""
    high = case.claim.epsilon + case.claim.rounding.epsilon
    for name, lower, upper in case.if_rounded:
        if lower is None or upper is None or not lower <= high < upper:
            continue
        yield Cause(
            "rounding",
            f"{name}, the answer hangs on rounding: inputs within half a unit of their last digit give epsilons from "
            f"{lower_figure(lower)} to {upper_figure(upper)}.",
        )
