"""The smallest noise whose UPPER bound keeps the target; never an interval's midpoint, never an estimate.

The bound is the tight one by default (accountant "all"). It is solved for on a stand-in where a schedule has
thousands of multipliers, and then on the composition itself, step by step, never on an effective multiplier.

G1. Post-condition, checked before returning: epsilon(ledger(x), delta).upper <= target_epsilon, for the x returned.
G2. The x returned is within 1e-5 (relative) of the least one with that property, 1e-3 where the bound jumps from one
    method to another; at most 4 x 90 evaluations of the bound (a dozen is typical).
G3. Where any noise will do (delta exceeds the chance that the record is ever drawn), the answer is the least
    multiplier searched, 1e-3, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refdp.accounting import _checks
from refdp.accounting.accountant import epsilon_upper
from refdp.accounting.calibration import MANY, Calibration, Upper, check_targets
from refdp.accounting.errors import AccountingError
from refdp.accounting.events import GaussianEvent, Sampling
from refdp.accounting.grouping import distinct, grouped
from refdp.accounting.ledger import Ledger
from refdp.accounting.neighboring import ADD_REMOVE
from refdp.accounting.search import Found, least

SMALLEST, LARGEST = 1e-3, 1e8
FLOOR = f"noise multipliers below {SMALLEST:g} are not searched, and this one keeps the target already"


def calibrate_scale(
    ledger_of: Callable[[float], Ledger],
    target_epsilon: float,
    delta: float,
    accountant: str = "all",
    *,
    solved_for: str = "scale",
) -> Calibration:
    """Smallest x in [1e-3, 1e8] with ``epsilon(ledger_of(x), delta).upper <= target_epsilon``.

    Epsilon must not rise with x, as it does not where x scales every noise multiplier.

    Raises:
        AccountingError: target_epsilon not finite and > 0, delta outside (0, 1), or the target out of reach.
    """
    target = check_targets(target_epsilon, delta)
    upper = Upper(ledger_of, delta, accountant)
    rdp = _by_rdp(ledger_of, target, delta)
    start, slope = (rdp.x, rdp.slope if accountant == "rdp" else None) if rdp else (1.0, None)
    if accountant != "rdp" and upper.is_long(start):
        rough = least(upper.rough, target, SMALLEST, LARGEST, start)
        if rough is not None:
            start, slope = rough.x * (1 + 5e-7), rough.slope
    found = least(upper.full, target, SMALLEST, LARGEST, start, slope=slope)
    if found is None:
        raise AccountingError(
            f"target_epsilon = {target!r}: out of reach with noise multipliers up to {LARGEST:g} at this "
            "delta; use fewer steps, a smaller sample rate or a larger delta"
        )
    notes = (FLOOR,) if found.x <= SMALLEST else ()
    return upper.answer(found.x, target, solved_for, rdp.x if rdp else None, notes)


def _by_rdp(ledger_of: Callable[[float], Ledger], target: float, delta: float) -> Found | None:
    """What RDP alone needs; None where it has no answer. First on few multipliers, then on all of them."""

    def rough(x: float) -> float:
        return epsilon_upper(grouped(ledger_of(x), MANY, "mean"), delta, "rdp")

    found = least(rough, target, SMALLEST, LARGEST, 1.0)
    if found is None or distinct(ledger_of(found.x)) <= MANY:
        return found
    start = found.x * (1 + 5e-7)
    return least(
        lambda x: epsilon_upper(ledger_of(x), delta, "rdp"),
        target,
        SMALLEST,
        LARGEST,
        start,
        slope=found.slope,
    )


def calibrate_noise_multiplier(
    target_epsilon: float,
    delta: float,
    sample_rate: float,
    steps: int,
    *,
    sampling: str = "poisson",
    neighboring: str = ADD_REMOVE,
    accountant: str = "all",
) -> Calibration:
    """Smallest constant noise multiplier whose upper epsilon over ``steps`` steps is at most the target.

    Args:
        target_epsilon: finite and > 0.
        delta: in (0, 1).
        sample_rate: q in (0, 1] of Poisson sampling; 1 for full batches.
        steps: whole, >= 1.
        sampling: "poisson" or "full-batch"; for any other, ``calibrate_scale`` takes a function to ledgers.
    """
    _checks.option("sampling", sampling, ("poisson", "full-batch"))
    _checks.probability("sample_rate", sample_rate)
    _checks.whole("steps", steps, minimum=1)
    if sampling == "full-batch" and sample_rate != 1:
        raise AccountingError(f"sample_rate = {sample_rate!r}: must be 1 under sampling full-batch")
    if sample_rate == 0:
        raise AccountingError("sample_rate = 0: nothing is released, so there is no noise to calibrate")
    fields: dict[str, Any] = {"rate": sample_rate} if sampling == "poisson" else {}
    scheme = Sampling(sampling, **fields)
    return calibrate_scale(
        lambda x: Ledger(neighboring, (GaussianEvent(x, scheme, steps),)),
        target_epsilon,
        delta,
        accountant,
        solved_for="noise_multiplier",
    )
