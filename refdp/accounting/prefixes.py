"""Epsilon after each prefix of a ledger: what had been spent when training stood at a step.

G1. ``prefix(ledger, k)`` releases the first k counts of the ledger's events, in order, and nothing else.
G2. Each pair of bounds encloses its prefix's epsilon. Neither end falls: what was released stays released, so a later
    upper bound holds for what came before, and an earlier lower bound for what comes after.
G3. ``epsilon_along`` encloses the epsilon after every step, from a few that are computed: the others lie between them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from refdp.accounting import _checks
from refdp.accounting.accountant import epsilon
from refdp.accounting.errors import AccountingError
from refdp.accounting.grouping import distinct, grouped
from refdp.accounting.ledger import Ledger
from refdp.accounting.schedules import Schedule


def prefix(ledger: Ledger, steps: int) -> Ledger:
    """The ledger of the first ``steps`` counts (a count of a shuffled event is all its epochs).

    Raises:
        AccountingError: counts alone, on the full batch, stand behind other steps. Trainers list such counts
            (accuracies that a learning rate follows) behind all steps, whenever they were made, so their place in time
            is not known here; a plan's ``ledger(steps)`` knows it.
    """
    left = _checks.whole("steps", steps)
    total = sum(event.count for event in ledger.events)
    alone = [
        event.noise is None and event.mechanism == "quantile" and event.sampling.scheme == "full-batch"
        for event in ledger.events
    ]
    if left < total and any(alone[1:]):
        raise AccountingError(
            f"steps = {steps}: the ledger has counts behind its other steps, and not when they were made; ask the plan "
            "that wrote it for its ledger after that many steps"
        )
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
    return _monotone([f.lower for f in found], [f.upper for f in found])


def epsilon_along(
    ledger_of: Callable[[int], Ledger], steps: int, delta: float, *, points: int = 32, bins: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """(lower, upper) of epsilon after 0, 1, .. steps steps, float64 [steps + 1]; NaN where unknown.

    Computed after about ``points`` numbers of steps, spread evenly over the square root of their number; in between,
    the upper end is the next computed one's and the lower end the last computed one's. So where epsilon grows with
    the root of the steps it is a staircase of equal stairs.

    Args:
        ledger_of: what the first k steps released, each contained in the next: a plan's ``ledger``, or
            ``partial(prefix, ledger)``.
        points: at least 2; ``steps`` computes them all.
        bins: distinct noise multipliers computed of each, grouped outward.
    """
    _checks.whole("steps", steps)
    _checks.whole("points", points, 2)
    _checks.whole("bins", bins, 1)
    every = np.arange(steps + 1)
    spread = np.round(steps * np.linspace(0, 1, points + 1) ** 2).astype(np.int64)
    chosen = every if points >= steps else np.unique(spread)
    lower: list[float | None] = [None] * (steps + 1)
    upper = lower.copy()
    for k in chosen.tolist():
        whole = ledger_of(k)
        coarse = distinct(whole) > bins
        high, low = (grouped(whole, bins, how) if coarse else whole for how in ("down", "up"))
        found = epsilon(high, delta)
        lower[k], upper[k] = (epsilon(low, delta) if coarse else found).lower, found.upper
    return _monotone(lower, upper)


def effective_noise_multiplier(
    noise: Schedule | Sequence[float] | np.ndarray, steps: int | None = None
) -> float:
    """(mean over the steps of 1 / multiplier_t^2)^(-1/2): one number to show for a schedule. FOR DISPLAY ONLY.

    A constant run at this multiplier costs as much as the schedule where nothing is sampled, and LESS under Poisson
    sampling: the RDP of a sampled step at an integer order is the logarithm of a sum of exponentials linear in
    1 / multiplier^2, hence convex in it, and by Jensen's inequality the schedule costs more than its mean. Epsilon
    computed from this number would be below the truth. No accountant of this package takes it.

    Args:
        noise: a schedule, or the noise multipliers of its steps (>= 0; inf for a step that released nothing).
        steps: how many of the first steps to take; all of them by default.

    Raises:
        AccountingError: a multiplier is negative or NaN, or there is no step.
    """
    values = np.asarray(noise.noise_multipliers() if isinstance(noise, Schedule) else noise, dtype=np.float64)
    taken = values if steps is None else values[: _checks.whole("steps", steps, 1, len(values))]
    if taken.ndim != 1 or not len(taken) or not np.all(taken >= 0):
        raise AccountingError(f"noise multipliers = {noise!r}: must be one or more numbers >= 0")
    least = float(taken.min())
    if least == 0 or np.isinf(least):
        return least
    return least / float(np.sqrt(np.mean((least / taken) ** 2)))


def _monotone(lower: Sequence[float | None], upper: Sequence[float | None]) -> tuple[np.ndarray, np.ndarray]:
    """Each end holds for what comes after (lower) and what came before (upper); None is NaN where nothing is known."""
    least = np.array([np.nan if x is None else x for x in lower], dtype=np.float64)
    most = np.array([np.nan if x is None else x for x in upper], dtype=np.float64)
    return np.fmax.accumulate(least), np.fmin.accumulate(most[::-1])[::-1]
