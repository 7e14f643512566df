"""Losses were rounded up to a grid."""

from __future__ import annotations

from refdp.crosscheck.finding import Finding, Reason

ORDER = 9


def find(finding: Finding) -> Reason | None:
    """That the excess is no more than the grid's cell in each step."""
    interval = finding.answer.get("interval")
    truth = finding.assumed
    if not isinstance(interval, float) or finding.verdict.word not in ("above", "below"):
        return None
    distance = abs(finding.value - truth.upper)
    most = interval * truth.steps
    if not 0 < distance <= most:
        return None
    return Reason(
        "discretisation", f"losses rounded to a grid of {interval:g}, which can add up to {most:.3g}"
    )
