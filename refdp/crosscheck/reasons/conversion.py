"""RDP was turned into epsilon by another theorem than refdp's default."""

from __future__ import annotations

from refdp.accounting.accountant import CONVERSION
from refdp.accounting.conversions import CONVERSIONS
from refdp.crosscheck.finding import Finding, Reason

ORDER = 6


def find(finding: Finding) -> Reason | None:
    """That another conversion, and not the default, gives the figure."""
    if finding.below or finding.method != "rdp":
        return None
    default = finding.imitated_rdp(finding.assumed, CONVERSION).value
    if finding.same(default):
        return None
    for name in sorted(set(CONVERSIONS) - {CONVERSION}):
        if finding.same(finding.imitated_rdp(finding.assumed, name).value):
            return Reason("conversion", f"conversion {name}; {CONVERSION} gives {default:.6g}")
    return None
