"""The loss was taken for a normal variable."""

from __future__ import annotations

from refdp.crosscheck.finding import Finding, Reason

ORDER = 3


def find(finding: Finding) -> Reason | None:
    """That the CLT's formula gives the figure."""
    if finding.method not in ("clt", ""):
        return None
    limit = finding.assumed.central_limit()
    if limit is None or not finding.same(limit[0], 1e-5 if finding.answer else None):
        return None
    return Reason("clt", f"CLT limit: the loss taken for a normal variable, mu = {limit[1]:.5g}; no bound")
