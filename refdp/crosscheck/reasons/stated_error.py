"""The peer adds an error that it states (PRV: eps_error) to what it computed."""

from __future__ import annotations

from refdp.crosscheck.finding import Finding, Reason

ORDER = 8


def find(finding: Finding) -> Reason | None:
    """That the figure is the truth and that error."""
    error = finding.answer.get("eps_error")
    truth = finding.assumed
    if not isinstance(error, float) or finding.verdict.word not in ("above", "unsafe", "undecided"):
        return None
    excess = finding.value - truth.upper
    if not 0.5 * error <= excess <= 1.5 * error + 1e-3 * truth.upper:
        return None
    return Reason("stated-error", f"its eps_error {error:g} is added to {finding.value - error:.6g}")
