"""The peer knows only Poisson sampling, and another sampler was taken for that."""

from __future__ import annotations

import math

from refdp.crosscheck.finding import Finding, Reason

ORDER = 1


def find(finding: Finding) -> Reason | None:
    """What the ledger was taken for; a cause where that is another epsilon, and the peer's method gives it."""
    if finding.read_as is None:
        return None
    other = not math.isclose(finding.seen.upper, finding.truth.upper, rel_tol=1e-9)
    explains = other and finding.fits(finding.assumed)
    return Reason("sampler", f"{finding.read_as}, of which epsilon is {finding.seen.upper:.6g}", explains)
