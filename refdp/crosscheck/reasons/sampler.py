"""The peer knows only Poisson sampling, and another sampler was taken for that."""

from __future__ import annotations

from refdp.crosscheck.finding import Finding, Reason

ORDER = 1


def find(finding: Finding) -> Reason | None:
    """That the figure is the Poisson run's."""
    if finding.read_as is None:
        return None
    true = finding.seen.upper
    return Reason("sampler", f"{finding.read_as}, of which epsilon is {true:.6g}")
