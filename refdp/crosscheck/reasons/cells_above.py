"""The peer's one-step RDP is above the truth at some orders: valid, and loose."""

from __future__ import annotations

from refdp.crosscheck.finding import Finding, Reason

ORDER = 7.5


def find(finding: Finding) -> Reason | None:
    """That cells are above, where RDP that is right would give less."""
    cells = finding.cells
    if finding.verdict.word != "above" or cells is None or not cells.above:
        return None
    if finding.same(finding.imitated_rdp(finding.assumed).value):
        return None
    worst = cells.above[0].text()
    return Reason("rdp-value", f"{len(cells.above)} of {cells.checked} RDP cells above the truth: {worst}")
