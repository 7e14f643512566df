"""The smallest noise whose UPPER bound keeps the target; never an interval's midpoint, never an estimate.

G1. Post-condition, checked before returning: epsilon(ledger(noise), delta).upper <= target_epsilon.
G2. Schedules are solved on the full heterogeneous composition, step by step, never by an effective multiplier.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from refdp.accounting import _checks
from refdp.accounting.accountant import Bounds, epsilon, epsilon_upper
from refdp.accounting.errors import AccountingError
from refdp.accounting.events import GaussianEvent, Sampling
from refdp.accounting.ledger import Ledger
from refdp.accounting.neighboring import ADD_REMOVE

_SMALLEST, _LARGEST = 1e-3, 1e8
_TOLERANCE = 1e-7


@dataclass(frozen=True)
class Calibration:
    """A noise multiplier (or schedule scale), the epsilon it has, and how much of the target is left over."""

    noise_multiplier: float
    epsilon: Bounds
    target_epsilon: float
    slack: float


def calibrate_scale(
    ledger_of: Callable[[float], Ledger], target_epsilon: float, delta: float, accountant: str = "all"
) -> Calibration:
    """Smallest x in [1e-3, 1e8] with ``epsilon(ledger_of(x), delta).upper <= target_epsilon``, to 1e-7 relative.

    Epsilon must not rise with x, as it does not where x scales every noise multiplier.

    Raises:
        AccountingError: target_epsilon not finite and > 0, delta outside (0, 1), or the target out of reach.
    """
    target = _checks.positive("target_epsilon", target_epsilon)
    _checks.open_unit("delta", delta)
    seen: dict[float, float] = {}

    def upper(x: float) -> float:
        if x not in seen:
            seen[x] = epsilon_upper(ledger_of(x), delta, accountant)
        return seen[x]

    low, high = _bracket(upper, target)
    while high / low > 1 + _TOLERANCE:
        middle = _guess(low, high, upper, target)
        if upper(middle) <= target:
            high = middle
        else:
            low = middle
    result = epsilon(ledger_of(high), delta, accountant)
    if result.upper is None or not result.upper <= target:
        raise AccountingError(
            f"target_epsilon = {target!r}: calibration broke its post-condition; please report"
        )
    return Calibration(high, result, target, target - result.upper)


def _bracket(upper: Callable[[float], float], target: float) -> tuple[float, float]:
    """low < high with upper(high) <= target and upper(low) > target (or low the smallest multiplier)."""
    high = 1.0
    if upper(high) <= target:
        low = high / 2
        while low > _SMALLEST and upper(low) <= target:
            low, high = low / 2, low
        if low > _SMALLEST:
            return low, high
        return (_SMALLEST, high) if upper(_SMALLEST) > target else (_SMALLEST, _SMALLEST)
    while upper(high) > target:
        high *= 2
        if high > _LARGEST:
            raise AccountingError(
                f"target_epsilon = {target!r}: out of reach with noise multipliers up to {_LARGEST:g} at this "
                "delta; use fewer steps, a smaller sample rate or a larger delta"
            )
    return high / 2, high


def _guess(low: float, high: float, upper: Callable[[float], float], target: float) -> float:
    """Next point: regula falsi in log-log, pulled a little to the safe side, kept well inside the bracket."""
    f_low, f_high = upper(low), upper(high)
    width = math.log(high / low)
    share = 0.5
    if 0 < f_high < math.inf and 0 < f_low < math.inf and f_low > f_high:
        share = math.log(f_low / target) / math.log(f_low / f_high)
    nudge = max(0.3 * _TOLERANCE / width, 1e-4)
    share = share + nudge if share < 0.5 or width < 1e-3 else share - nudge
    if not 0.02 < share < 0.98 and width > 0.05:
        share = 0.5
    return low * math.exp(min(max(share, 0.4 * _TOLERANCE / width), 1 - 0.4 * _TOLERANCE / width) * width)


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
        sampling: "poisson" or "full-batch".
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
        lambda x: Ledger(neighboring, (GaussianEvent(x, scheme, steps),)), target_epsilon, delta, accountant
    )
