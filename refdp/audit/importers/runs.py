"""Poisson-sampled Gaussian steps, many rows of them, into few events."""

from __future__ import annotations

from collections.abc import Iterable

from refdp.accounting import GaussianEvent, Sampling
from refdp.errors import RefDPError

Row = tuple[float, float, int]  # noise multiplier, sample rate, steps
MOST_EVENTS = 300_000


def poisson_events(rows: Iterable[Row]) -> tuple[GaussianEvent, ...]:
    """Events in order, neighbouring rows of equal multiplier and rate merged; rows of no steps are left out.

    G1. Multipliers, rates and the number of steps at each pair of them are exactly the rows'.
    """
    merged: list[list[float]] = []
    for multiplier, rate, steps in rows:
        if not steps:
            continue
        if merged and merged[-1][0] == multiplier and merged[-1][1] == rate:
            merged[-1][2] += steps
        else:
            merged.append([multiplier, rate, steps])
    if len(merged) > MOST_EVENTS:
        raise RefDPError(
            f"the record changes its multiplier or rate {len(merged):,} times: at most {MOST_EVENTS:,} are read"
        )
    samplings = {rate: Sampling("poisson", rate=rate) for _, rate, _ in merged}
    return tuple(GaussianEvent(multiplier, samplings[rate], int(steps)) for multiplier, rate, steps in merged)
