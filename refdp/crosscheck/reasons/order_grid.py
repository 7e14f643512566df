"""The best Renyi order is not on the peer's grid."""

from __future__ import annotations

from refdp.crosscheck.finding import Finding, Reason

ORDER = 5
_LOSS = 1e-3  # relative; what a grid may cost without being worth a word


def find(finding: Finding) -> Reason | None:
    """That refdp's RDP restricted to the grid gives the figure, and more orders a smaller one."""
    if finding.below or finding.method != "rdp" or finding.searches or not finding.orders:
        return None
    truth, name = finding.assumed, finding.conversion or "balle2020"
    grid = truth.rdp_on_grid(finding.orders, name)
    if not finding.same(grid.value):
        return None
    best = truth.rdp_best(name)
    if not grid.value > best.value * (1 + _LOSS):
        return None
    ends = {min(finding.orders): "starts at", max(finding.orders): "stops at"}
    where = f"order grid {ends[grid.order]} {grid.order:g}" if grid.order in ends else "order grid too coarse"
    return Reason("order-grid", f"{where}: order {best.order:.5g} gives {max(best.value, 0.0):.6g}")
