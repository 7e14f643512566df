"""The most that may be run at given noise: steps, or sample rate; and the smallest delta a run deserves.

A schedule keeps its shape when its number of steps is solved for: it is stretched over the run. Where the shape is
monotone, more steps then never cost less: the n points p = (t + 0.5) / n all move towards the noisy end's opposite
when n + 1 are taken, and one is added.

G1. Post-condition, checked before returning: epsilon(ledger(x), delta).upper <= target_epsilon, for the x returned.
G2. ``calibrate_steps``: one step more would break it. ``calibrate_sample_rate``: a rate 1e-5 larger (relative) would.
G3. ``calibrate_delta`` returns an upper value of the least delta at which the ledger is target_epsilon-DP.
"""

from __future__ import annotations

from collections.abc import Callable

from refdp.accounting import _checks
from refdp.accounting.accountant import delta as delta_of
from refdp.accounting.accountant import epsilon
from refdp.accounting.calibration import Calibration, Upper, check_targets
from refdp.accounting.errors import AccountingError
from refdp.accounting.ledger import Ledger
from refdp.accounting.search import Found, greatest_whole, least

MOST_STEPS, MOST_SCHEDULED = 10**9, 10**6
LEAST_RATE, LEAST_DELTA = 1e-15, 1e-300


def calibrate_steps(
    ledger_of: Callable[[int], Ledger],
    target_epsilon: float,
    delta: float,
    accountant: str = "all",
    *,
    most: int = MOST_STEPS,
) -> Calibration:
    """Largest whole n in [1, most] with ``epsilon(ledger_of(n), delta).upper <= target_epsilon``.

    Raises:
        AccountingError: bad target or delta, or one step already breaks the target.
    """
    target = check_targets(target_epsilon, delta)
    _checks.whole("most", most, 1, MOST_STEPS)
    upper = Upper(ledger_of, delta, accountant)
    start = Found(min(1000, most), 1.0)
    if upper.is_long(round(start.x)):
        start = greatest_whole(upper.rough, target, most, start.x) or start
    found = greatest_whole(upper.full, target, most, start.x, slope=start.slope or 1.0)
    if found is None:
        raise AccountingError(
            f"target_epsilon = {target!r}: one step alone costs up to {upper.full(1):.6g} at delta {delta:g}; use "
            "more noise, a smaller sample rate or a larger delta"
        )
    notes = (f"runs of more than {most:,} steps are not searched",) if found.x == most else ()
    return upper.answer(round(found.x), target, "steps", notes=notes)


def calibrate_sample_rate(
    ledger_of: Callable[[float], Ledger], target_epsilon: float, delta: float, accountant: str = "all"
) -> Calibration:
    """Largest rate q in [1e-15, 1] with ``epsilon(ledger_of(q), delta).upper <= target_epsilon``.

    Raises:
        AccountingError: bad target or delta, or no rate keeps the target (a run without noise).
    """
    target = check_targets(target_epsilon, delta)
    upper = Upper(ledger_of, delta, accountant)

    def rate(inverse: float) -> float:
        return min(1.0, 1 / inverse)

    start, slope = 100.0, None
    if upper.is_long(rate(start)):
        rough = least(lambda x: upper.rough(rate(x)), target, 1.0, 1 / LEAST_RATE, start)
        if rough is not None:
            start, slope = rough.x * (1 + 5e-7), rough.slope
    found = least(lambda x: upper.full(rate(x)), target, 1.0, 1 / LEAST_RATE, start, slope=slope)
    if found is None:
        raise AccountingError(
            f"target_epsilon = {target!r}: no sample rate down to {LEAST_RATE:g} keeps it; use more noise, fewer "
            "steps or a larger delta"
        )
    return upper.answer(rate(found.x), target, "sample_rate")


def calibrate_delta(ledger: Ledger, target_epsilon: float, accountant: str = "all") -> Calibration:
    """Smallest delta (an upper value of it, >= 1e-300) at which the ledger is (target_epsilon, delta)-DP.

    Raises:
        AccountingError: bad target, nothing released, or no delta below 1 will do.
    """
    target = _checks.positive("target_epsilon", target_epsilon)
    upper = delta_of(ledger, target, accountant).upper
    if all(event.is_no_op() for event in ledger.events):
        raise AccountingError("ledger: nothing is released, so delta is 0 at every epsilon")
    start = max(upper if upper is not None else 1.0, LEAST_DELTA)
    for power in range(12):  # the two questions round differently in the last digits
        at = start * (1 + 1e-12 * 10.0**power) if power else start
        if not at < 1:
            break
        found = epsilon(ledger, at, accountant)
        if found.upper is not None and found.upper <= target:
            return Calibration(at, found, target, target - found.upper, "delta")
    raise AccountingError(
        f"target_epsilon = {target!r}: no delta below 1 is proved to keep it; use more noise or fewer steps"
    )
