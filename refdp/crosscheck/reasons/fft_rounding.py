"""The probability that decides is smaller than what a float64 FFT rounds away."""

from __future__ import annotations

from refdp.accounting import delta
from refdp.crosscheck.finding import Finding, Reason

ORDER = 10
_PER_STEP = 8 * 2.0**-52


def find(finding: Finding) -> Reason | None:
    """That delta at the figure is off by no more than rounding errors of the size of float64's, once a step."""
    if finding.method != "pld" or finding.verdict.word == "agrees" or not finding.value < float("inf"):
        return None
    truth = finding.assumed
    bounds = delta(truth.ledger, finding.value)
    if bounds.upper is None:
        return None
    off = bounds.upper - truth.delta
    noise = _PER_STEP * max(truth.steps, 100)
    if abs(off) > noise or abs(off) < 1e-6 * truth.delta:
        return None
    way = "lost" if off > 0 else "added"
    return Reason(
        "fft-rounding",
        f"float64 rounding: a probability of {abs(off):.2g} was {way}, where delta is {truth.delta:g} "
        f"(delta at {finding.value:.6g} is {bounds.upper:.3g})",
    )
