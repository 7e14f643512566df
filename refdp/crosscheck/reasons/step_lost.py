"""One step was not counted."""

from __future__ import annotations

from refdp.crosscheck.finding import SAME, Finding, Reason

ORDER = 11


def find(finding: Finding) -> Reason | None:
    """That one step less gives the figure, where the two are told apart."""
    if finding.verdict.word != "unsafe":
        return None
    truth, fewer = finding.assumed, finding.assumed.one_step_less
    if fewer is None or truth.lower is None or fewer.lower is None or not fewer.upper < truth.lower:
        return None
    if not fewer.lower * (1 - SAME) <= finding.value <= fewer.upper * (1 + SAME):
        return None
    return Reason("steps", f"{fewer.steps} steps have epsilon {fewer.upper:.6g}; {truth.steps} were taken")
