"""The noise that a claim would have needed: every multiplier times one factor, solved on the upper bound.

Schedules of many multipliers are grouped outwards for it (less noise than was used dominates), so that the answer
is a little more noise than the least that will do, never less.
"""

from __future__ import annotations

import dataclasses
import math
import time

from refdp.accounting import Ledger, Release, Schedule, epsilon_upper
from refdp.accounting.grouping import distinct, grouped
from refdp.accounting.search import least

BINS = 96
_SMALLEST, _LARGEST = 1e-3, 1e8


def scaled(ledger: Ledger, factor: float) -> Ledger:
    """The same with every noise multiplier (of gradients; a statistic's own noise stays) times a factor."""

    def noisier(event: Release) -> Release:
        noise = event.noise
        if isinstance(noise, Schedule):
            noise = Schedule(
                noise.kind, noise.steps, noise.scale * factor, dict(noise.parameters), noise.normalise
            )
        elif noise is not None:
            noise = noise * factor
        return dataclasses.replace(event, noise=noise)

    return Ledger(ledger.neighboring, tuple(noisier(e) for e in ledger.events), ledger.group_size)


def nominal(ledger: Ledger) -> float | None:
    """The noise multiplier a run is known by: a schedule's scale; the least of several; None where there is none."""
    values = []
    for event in ledger.events:
        if not event.is_no_op() and event.noise is not None:
            values.append(event.noise.scale if isinstance(event.noise, Schedule) else event.noise)
    return min(values, default=None)


class _Late(Exception):
    """The time for it is over."""


def noise_needed(
    ledger: Ledger, epsilon: float, delta: float, reference: float | None = None, *, seconds: float = 60.0
) -> tuple[float | None, str]:
    """(least nominal multiplier at which the upper bound is at most ``epsilon``, remark).

    None where it is out of reach. Where the time is over first, the least one found by then, with a remark.

    Args:
        reference: what the ledger's own noise is called (``nominal(ledger)`` by default).
    """
    reference = nominal(ledger) if reference is None else reference
    if reference is None or not reference > 0 or not epsilon > 0:
        return None, ""
    fewer = grouped(ledger, BINS, "down") if distinct(ledger) > BINS else ledger
    begin, keeps = time.monotonic(), [math.inf]

    def upper(x: float) -> float:
        if time.monotonic() - begin > seconds:
            raise _Late
        found = epsilon_upper(scaled(fewer, x / reference), delta, bins=BINS)
        if found <= epsilon:
            keeps.append(x)
        return found

    try:
        found = least(upper, epsilon, _SMALLEST, _LARGEST, reference, tolerance=1e-6)
    except _Late:
        best = min(keeps)
        remark = "the needed noise was not solved for to the end in the time allowed"
        return (best if best < math.inf else None), remark
    return (None if found is None else found.x), ""
