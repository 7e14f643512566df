"""Replace-one was asked for, and the figure is that of add-remove."""

from __future__ import annotations

from refdp.crosscheck.finding import Finding, Reason

ORDER = 2


def find(finding: Finding) -> Reason | None:
    """That the peer's method under add-remove gives its figure."""
    other = finding.assumed
    if other is finding.seen:
        return None
    under = (
        f"{other.ledger.neighboring} here gives {finding.value:.6g} by its method (truth {other.upper:.6g})"
    )
    return Reason(
        "relation",
        f"neighbouring relation ignored: {under}, {finding.seen.ledger.neighboring} is {finding.seen.upper:.6g}",
    )
