"""Only whole Renyi orders were evaluated (the rest interpolated)."""

from __future__ import annotations

from refdp.crosscheck.finding import Finding, Reason

ORDER = 5.5


def find(finding: Finding) -> Reason | None:
    """That refdp's RDP at whole orders gives the figure, and more orders a smaller one."""
    if finding.below or finding.method != "rdp" or finding.answer.get("search") != "integers":
        return None
    whole = finding.imitated_rdp(finding.assumed)
    best = finding.assumed.rdp_best(finding.conversion or "balle2020")
    if not finding.same(whole.value) or not whole.value > best.value * (1 + 1e-3):
        return None
    return Reason("order-grid", f"whole orders only: order {best.order:.5g} gives {best.value:.6g}")
