"""One assertion for a framework's own test suite: is the epsilon that its accountant answers a valid bound?"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from refdp.accounting import AccountingError, Ledger
from refdp.crosscheck.finding import Finding
from refdp.crosscheck.reasons import UNEXPLAINED, explain
from refdp.crosscheck.request import requests
from refdp.crosscheck.truth import Truth
from refdp.crosscheck.verdict import ROUNDING, Verdict

_METHODS = ("clt", "pld", "rdp")


def assert_valid_epsilon(
    ledger: Ledger | dict[str, Any] | str,
    delta: float,
    epsilon: float,
    *,
    side: str = "upper",
    tolerance: float = 1e-3,
) -> None:
    """Raise AssertionError unless ``epsilon`` is a valid bound of the ledger at ``delta``.

    With refdp's enclosure [lower, upper] of the true epsilon (nats), it passes exactly where
        side="upper":  epsilon >= lower (1 - 1e-9)  and  epsilon >= upper (1 - tolerance)
        side="lower":  epsilon <= upper (1 + 1e-9)  and  epsilon <= lower (1 + tolerance)
    The first condition is that refdp does not refute it (1e-9 is float64's rounding), the second that refdp confirms
    it, and matters only where the enclosure is wider than the tolerance or one end is unknown (shuffled batches).

    Args:
        ledger: what was released: a Ledger, or the ``refdp-ledger/1`` document as a dict or JSON text.
        delta: in (0, 1).
        epsilon: what the accountant under test answers, >= 0 or inf.
        side: "upper" (the run is (epsilon, delta)-DP) or "lower" (it is for no smaller epsilon).
        tolerance: relative, in [0, 1).

    Guarantees:
        G1. An upper bound below the true epsilon by more than 1e-9 + w relative, w the enclosure's relative width,
            never passes, whatever the tolerance; nor does a lower bound that is as far above it.
        G2. An upper bound at or above ``upper`` always passes, and a lower bound at or below ``lower``.
        G3. The error's text has the true interval, how far outside it epsilon is, and a cause that refdp has tested
            and found to give just this figure, or that it found none.
        G4. NaN, a negative number, anything that is no real number, and ledgers, deltas, sides and tolerances that
            are malformed raise AccountingError (a ValueError), never AssertionError.
        G5. inf is a valid upper bound of everything, and a lower bound only of what has no noise.

    Raises:
        AssertionError: epsilon is refuted, or cannot be confirmed; the text says which.
        AccountingError: G4, or a ledger that refdp has no bound for.

    >>> from refdp.accounting import GaussianEvent, Sampling
    >>> run = Ledger("add-remove", (GaussianEvent(1.1, Sampling("poisson", 0.01), 500),))
    >>> assert_valid_epsilon(run, 1e-5, 1.2)
    >>> assert_valid_epsilon(run, 1e-5, 0.9)
    Traceback (most recent call last):
        ...
    AssertionError: epsilon = 0.9 is no upper bound: ...
    """
    if side not in ("upper", "lower"):
        raise AccountingError(f"side = {side!r}: must be upper or lower")
    claimed = _real("epsilon", epsilon, "must be a number >= 0, or inf")
    if not claimed >= 0:
        raise AccountingError(f"epsilon = {epsilon!r}: must be a number >= 0, or inf")
    allowed = _real("tolerance", tolerance, "must be >= 0 and < 1")
    if not 0 <= allowed < 1:
        raise AccountingError(f"tolerance = {tolerance!r}: must be >= 0 and < 1")
    truth = Truth(ledger if isinstance(ledger, Ledger) else Ledger.from_json(ledger), delta)
    low = 0.0 if truth.lower is None else truth.lower
    found = standing(claimed, low, truth.upper, side, allowed)
    if found == "refuted":
        raise AssertionError(_refuted(truth, claimed, low) if side == "upper" else _above(truth, claimed))
    if found == "unconfirmed":
        raise AssertionError(_unconfirmed(truth, claimed, side, truth.upper if side == "upper" else low))


def standing(claimed: float, lower: float, upper: float, side: str, tolerance: float) -> str:
    """ "refuted", "unconfirmed" or "valid": a claimed bound beside an enclosure of the true epsilon."""
    if side == "upper":
        refuted, confirmed = claimed < lower * (1 - ROUNDING), claimed >= upper * (1 - tolerance)
    else:
        refuted, confirmed = claimed > upper * (1 + ROUNDING), claimed <= lower * (1 + tolerance)
    return "refuted" if refuted else "valid" if confirmed else "unconfirmed"


def _real(name: str, value: Any, rule: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
        raise AccountingError(f"{name} = {value!r}: {rule}")
    return float(value)


def _interval(truth: Truth) -> str:
    low = "unknown" if truth.lower is None else f"{truth.lower:.9g}"
    return f"the true epsilon at delta = {truth.delta!r} is in [{low}, {truth.upper:.9g}]"


def _refuted(truth: Truth, claimed: float, low: float) -> str:
    short = f"{100 * (1 - claimed / low):.3g} % below" if low < math.inf else "below"
    cause = likely_cause(truth, Verdict("unsafe", claimed, claimed - low))
    return (
        f"epsilon = {claimed!r} is no upper bound: {_interval(truth)}, it is {short} the lower end. "
        f"Likely cause: {cause}"
    )


def _above(truth: Truth, claimed: float) -> str:
    over = (
        f"{100 * (claimed / truth.upper - 1):.3g} % above"
        if truth.upper > 0 and claimed < math.inf
        else "above"
    )
    return f"epsilon = {claimed!r} is no lower bound: {_interval(truth)}, it is {over} the upper end"


def _unconfirmed(truth: Truth, claimed: float, side: str, end: float) -> str:
    notes = f" ({'; '.join(truth.bounds.notes)})" if truth.bounds.notes else ""
    return (
        f"epsilon = {claimed!r} cannot be confirmed as {side} bound: {_interval(truth)}{notes}; {end:.9g} can, and a "
        "larger tolerance accepts what is not refuted"
    )


def likely_cause(truth: Truth, verdict: Verdict) -> str:
    """In words, the first known cause that gives just this figure."""
    own, poisson = requests(truth.ledger, None)
    for request in (own,) if poisson is None or poisson is own else (own, poisson):
        seen = truth if request is own else Truth(request.ledger, truth.delta)
        for method in _METHODS:
            finding = Finding(truth, seen, verdict, {}, method, read_as=request.read_as)
            if request.read_as is not None and not finding.fits(finding.assumed):
                continue
            found = [r.text for r in explain(finding) if r.explains and r is not UNEXPLAINED]
            if found:
                return "; ".join(found)
    return UNEXPLAINED.text
