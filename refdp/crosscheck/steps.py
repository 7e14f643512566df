"""What the steps that tools make of so many epochs cost (``accounting.counting`` has the ways to count)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from refdp.accounting import Bounds, Ledger, epsilon
from refdp.accounting.counting import StepCount


@dataclass(frozen=True)
class Counted:
    """A count and what it costs."""

    count: StepCount
    bounds: Bounds

    def to_json(self) -> dict[str, Any]:
        """An entry of the report."""
        counted = {name: value for name, value in vars(self.count).items() if name != "is_loop"}
        return {**counted, "epsilon": {"lower": self.bounds.lower, "upper": self.bounds.upper}}


def cost(
    counts: tuple[StepCount, ...], ledger_of: Callable[[StepCount], Ledger], delta: float
) -> list[Counted]:
    """refdp's epsilon at each count; equal questions are answered once."""
    known: dict[tuple[int, float], Bounds] = {}
    found = []
    for count in counts:
        key = (count.steps, count.sample_rate)
        if key not in known:
            known[key] = epsilon(ledger_of(count), delta)
        found.append(Counted(count, known[key]))
    return found
