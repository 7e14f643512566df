"""Renyi DP itself: every moment is bounded, and the best one is kept."""

from __future__ import annotations

from refdp.accounting.accountant import CONVERSION
from refdp.crosscheck.finding import Finding, Reason

ORDER = 4


def find(finding: Finding) -> Reason | None:
    """That refdp's own RDP, over all orders, is above the truth as well."""
    if finding.below or finding.method != "rdp":
        return None
    truth = finding.assumed
    best = truth.rdp_best(finding.conversion or CONVERSION)
    if not best.value > truth.upper * (1 + 1e-3) or not finding.value >= best.value * (1 - 1e-6):
        return None
    much = f"{100 * (best.value / truth.upper - 1):.3g} % above" if truth.upper > 0 else "above"
    explains = finding.same(finding.imitated_rdp(truth).value)
    return Reason("rdp", f"RDP loses: the best of all orders is {best.value:.6g}, {much}", explains)
