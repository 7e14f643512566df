"""The peer's RDP of the whole, at the order it chose, is not what it should be."""

from __future__ import annotations

import math

from refdp.accounting.conversions import CONVERSIONS
from refdp.crosscheck.finding import Finding, Reason

ORDER = 7


def find(finding: Finding) -> Reason | None:
    """That its value at the chosen order differs, or is negative, or was given up at the better orders."""
    if finding.method != "rdp" or finding.searches or not finding.orders:
        return None
    if finding.same(finding.imitated_rdp(finding.assumed).value):
        return None
    values, order = finding.answer.get("rdp"), finding.answer.get("order")
    if values and finding.value == 0 and any(v < 0 for v in values):
        least = min(values)
        return Reason("rdp-negative", f"a negative RDP ({least:.3g}) makes it answer 0")
    name = finding.conversion or "balle2020"
    best = finding.assumed.rdp_on_grid(finding.orders, name)
    if not values or order not in finding.orders or best.order not in finding.orders:
        return None
    there = values[finding.orders.index(best.order)]
    true = finding.assumed.rdp(best.order)
    if not math.isclose(there, true, rel_tol=1e-6):
        given = "infinite" if there == math.inf else f"{there:.6g}"
        return Reason(
            "rdp-value",
            f"its RDP at order {best.order:g} is {given}; refdp bounds it by {true:.6g} (which gives "
            f"{best.value:.6g})",
        )
    there, true = values[finding.orders.index(order)], finding.assumed.rdp(order)
    if not math.isclose(there, true, rel_tol=1e-6):
        right = CONVERSIONS[name].epsilon_from_rdp(order, true, finding.truth.delta)
        text = f"its RDP at its order {order:g} is {there:.6g}, truly {true:.6g} (which gives {right:.6g})"
        return Reason("rdp-value", text)
    return None
