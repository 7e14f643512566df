"""Cut a counterexample down: fewer records, fewer tensors, rounder numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from refdp.audit.mechanism.batches import Pair, smaller
from refdp.audit.mechanism.bench import Batch

SECONDS = 2.0
Measure = Callable[[Sequence[tuple[Batch, Batch]]], list[float]]


def cut_down(measure: Measure, factor: float, pair: Pair, fewest: int, above: float) -> tuple[float, Pair]:
    """Simpler while it stays a violation nearly as large: (factor, pair).

    Args:
        measure: pairs of batches -> their factors.
        fewest: records that must stay.
        above: what a factor must be at least to be a violation.
    """
    least = math.inf if math.isinf(factor) else max(above, 0.9 * factor)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        simpler = [p for p in smaller(pair) if len(p.rows) >= fewest]
        if not simpler:
            break
        size = 1 if math.isinf(factor) else len(simpler)  # one at a time where each may end the process
        got: list[float] = []
        for i in range(0, len(simpler), size):
            some = measure([(p.batch, p.neighbour) for p in simpler[i : i + size]])
            got += some
            if max(some) >= least:
                break
        fit = next((i for i, f in enumerate(got) if f >= least), None)
        if fit is None:
            break
        factor, pair = got[fit], simpler[fit]
    return factor, pair
